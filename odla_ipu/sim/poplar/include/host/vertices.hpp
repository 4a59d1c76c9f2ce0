// How compiled vertex classes make themselves known to the runtime.  The driver writes a companion
// of each codelet file, which includes that file and this one and names classes and fields; the
// rest is deduced from their types.
#ifndef host_vertices_hpp
#define host_vertices_hpp

#include <cstring>

#include <poplar/Vertex.hpp>

namespace poplar {
namespace host {

enum class Code : unsigned char {
  FLOAT,
  HALF,
  QUARTER,
  INT,
  UNSIGNED_INT,
  SHORT,
  UNSIGNED_SHORT,
  CHAR,
  SIGNED_CHAR,
  UNSIGNED_CHAR,
  BOOL,
  LONGLONG,
  UNSIGNED_LONGLONG,
  LONG,
  UNSIGNED_LONG
};

template <class T> struct CodeOf {
  static constexpr bool known = false;
  static constexpr Code code = Code::FLOAT;
};
#define ODLA_POPLAR_CODE(type, name)                                                               \
  template <> struct CodeOf<type> {                                                                \
    static constexpr bool known = true;                                                            \
    static constexpr Code code = Code::name;                                                       \
  };
ODLA_POPLAR_CODE(float, FLOAT)
ODLA_POPLAR_CODE(half, HALF)
ODLA_POPLAR_CODE(quarter, QUARTER)
ODLA_POPLAR_CODE(int, INT)
ODLA_POPLAR_CODE(unsigned, UNSIGNED_INT)
ODLA_POPLAR_CODE(short, SHORT)
ODLA_POPLAR_CODE(unsigned short, UNSIGNED_SHORT)
ODLA_POPLAR_CODE(char, CHAR)
ODLA_POPLAR_CODE(signed char, SIGNED_CHAR)
ODLA_POPLAR_CODE(unsigned char, UNSIGNED_CHAR)
ODLA_POPLAR_CODE(bool, BOOL)
ODLA_POPLAR_CODE(long long, LONGLONG)
ODLA_POPLAR_CODE(unsigned long long, UNSIGNED_LONGLONG)
#undef ODLA_POPLAR_CODE

enum class Direction : unsigned char { NONE, IN, OUT, INOUT };
enum class Form : unsigned char {
  STATE,        // a number
  STATE_VECTOR, // numbers
  SCALAR,       // an edge to one element
  VECTOR,       // an edge to a region
  SCALARS,      // edges to one element each
  VECTORS       // edges to a region each
};

struct Field {
  const char *name;
  Form form;
  Direction direction;
  Code code;
  unsigned align;
  std::size_t size; // bytes of one element
  std::size_t offset;
};

struct VertexClass {
  const char *name;
  std::size_t size;
  std::size_t align;
  bool multi;
  void (*compute)(void *state, unsigned worker);
  void (*describe)(Field *fields, unsigned &count); // fields == nullptr: only counts
};

// In the runtime: keeps `vertex`, which lives as long as the library that holds it.
void registerVertex(const VertexClass &vertex);

template <class T, class = void> struct Describe {
  static constexpr bool known = false;
};

template <class T, Form F, Direction D, unsigned A> struct Described {
  using Element = std::remove_const_t<T>;
  static constexpr bool known = CodeOf<Element>::known;
  static constexpr Form form = F;
  static constexpr Direction direction = D;
  static constexpr Code code = CodeOf<Element>::code;
  static constexpr unsigned align = A;
  static constexpr std::size_t size = sizeof(Element);
};

template <class T>
struct Describe<T, std::enable_if_t<std::is_arithmetic<T>::value || std::is_same<T, half>::value>>
    : Described<T, Form::STATE, Direction::NONE, alignof(T)> {};
template <class T>
struct Describe<T, std::enable_if_t<std::is_enum<T>::value>>
    : Described<std::underlying_type_t<T>, Form::STATE, Direction::NONE, alignof(T)> {};
template <class T, VectorLayout L, unsigned A, bool I>
struct Describe<Vector<T, L, A, I>, std::enable_if_t<CodeOf<T>::known>>
    : Described<T, Form::STATE_VECTOR, Direction::NONE, A> {};

#define ODLA_POPLAR_EDGE(Edge, DIRECTION)                                                          \
  template <class T>                                                                               \
  struct Describe<Edge<T>, std::enable_if_t<CodeOf<T>::known>>                                     \
      : Described<T, Form::SCALAR, Direction::DIRECTION, alignof(T)> {};                           \
  template <class T, VectorLayout L, unsigned A, bool I>                                           \
  struct Describe<Edge<Vector<T, L, A, I>>>                                                        \
      : Described<T, Form::VECTOR, Direction::DIRECTION, A> {};                                    \
  template <class T, VectorListLayout L, unsigned A, bool I>                                       \
  struct Describe<Edge<VectorList<T, L, A, I>>>                                                    \
      : Described<T, Form::VECTORS, Direction::DIRECTION, A> {};                                   \
  template <class T, VectorLayout L, unsigned A, bool I>                                           \
  struct Describe<Vector<Edge<T>, L, A, I>, std::enable_if_t<CodeOf<T>::known>>                    \
      : Described<T, Form::SCALARS, Direction::DIRECTION, alignof(T)> {};                          \
  template <class T, VectorLayout M, unsigned B, bool J, VectorLayout L, unsigned A, bool I>       \
  struct Describe<Vector<Edge<Vector<T, M, B, J>>, L, A, I>>                                       \
      : Described<T, Form::VECTORS, Direction::DIRECTION, B> {};
ODLA_POPLAR_EDGE(Input, IN)
ODLA_POPLAR_EDGE(Output, OUT)
ODLA_POPLAR_EDGE(InOut, INOUT)
#undef ODLA_POPLAR_EDGE

template <class C>
constexpr bool isVertex = std::is_base_of<Vertex, C>::value ||
                          std::is_base_of<MultiVertex, C>::value ||
                          std::is_base_of<SupervisorVertex, C>::value;

template <class C> inline void computeOn(C &vertex, unsigned worker) {
  if constexpr (std::is_base_of<MultiVertex, C>::value)
    vertex.compute(worker);
  else
    vertex.compute();
  (void)worker;
}

// Runs on a copy on the stack: what the vertex writes through its edges cannot alias it then.
template <class C> __attribute__((flatten)) void compute(void *state, unsigned worker) {
#ifdef ODLA_POPLAR_DEBUG
  computeOn(*static_cast<C *>(state), worker);
#else
  alignas(C) unsigned char copy[sizeof(C)];
  std::memcpy(copy, state, sizeof(C));
  computeOn(*reinterpret_cast<C *>(copy), worker);
  std::memcpy(state, copy, sizeof(C));
#endif
}

// Adds field `name` at `address` within the object at `object` if its type is that of a field.
template <class T>
void addField(Field *fields, unsigned &count, const char *name, const void *object,
              const volatile void *address) {
  using D = Describe<std::remove_cv_t<T>>;
  if constexpr (D::known) {
    if (fields)
      fields[count] = Field{name,
                            D::form,
                            D::direction,
                            D::code,
                            D::align,
                            D::size,
                            std::size_t(static_cast<const volatile char *>(address) -
                                        static_cast<const char *>(object))};
    ++count;
  }
}

// Registers C, if it is a vertex; the companion holds one object for each.
template <class C, void (*DescribeFields)(Field *, unsigned &)> class Register {
public:
  explicit Register(const char *name) {
    if constexpr (isVertex<C>) {
      vertex = {name,        sizeof(C),     alignof(C), std::is_base_of<MultiVertex, C>::value,
                &compute<C>, DescribeFields};
      registerVertex(vertex);
    }
    (void)name;
  }

private:
  VertexClass vertex;
};

} // namespace host
} // namespace poplar

// Adds the field `field` if class C has one of this name; used in the companion only.
#define ODLA_POPLAR_FIELD(field)                                                                   \
  template <class C, class = void> struct OdlaHas_##field : std::false_type {};                    \
  template <class C>                                                                               \
  struct OdlaHas_##field<                                                                          \
      C, std::enable_if_t<std::is_member_object_pointer<decltype(&C::field)>::value>>              \
      : std::true_type {};                                                                         \
  template <class C>                                                                               \
  void odlaAdd_##field(poplar::host::Field *fields, unsigned &count, const C *object) {            \
    if constexpr (OdlaHas_##field<C>::value)                                                       \
      poplar::host::addField<decltype(C::field)>(fields, count, #field, object, &object->field);   \
    (void)fields, (void)count, (void)object;                                                       \
  }

#endif
