// What a codelet is made of: vertex base classes, edges to tensors, and vectors.
//
// Every edge is {pointer, count} here, whatever its layout; layouts decide which members exist, so
// that what compiles here compiles for the IPU.  With ODLA_POPLAR_DEBUG every access is checked.
#ifndef poplar_Vertex_hpp
#define poplar_Vertex_hpp

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <poplar/HalfFloat.hpp>

namespace poplar {

enum class VectorLayout {
  NOT_A_VECTOR,
  SPAN,
  SHORT_SPAN,
  ONE_PTR,
  COMPACT_PTR,
  SCALED_PTR32,
  SCALED_PTR64,
  SCALED_PTR128
};

enum class VectorListLayout {
  NOT_A_VECTOR,
  ONE_PTR,
  SCALED_PTR32,
  SCALED_PTR64,
  SCALED_PTR128,
  DELTANELEMENTS,
  DELTAN,
  COMPACT_DELTAN
};

namespace host {

[[noreturn]] void outOfRange(const void *edge, std::size_t index, std::size_t count);

constexpr bool hasSize(VectorLayout layout) {
  return layout == VectorLayout::SPAN || layout == VectorLayout::SHORT_SPAN;
}

// A checked region of T; what the runtime fills in.
template <class T> struct Region {
  T *data;
  std::size_t count;

  T &at(std::size_t index) const {
#ifdef ODLA_POPLAR_DEBUG
    if (index >= count)
      outOfRange(this, index, count);
#endif
    return data[index];
  }
};

template <class T, VectorLayout L> class VectorAccess {
public:
  T &operator[](std::size_t index) const { return region.at(index); }
  T &operator*() const { return region.at(0); }
  template <VectorLayout M = L, class = std::enable_if_t<hasSize(M)>> unsigned size() const {
    return unsigned(region.count);
  }
  template <VectorLayout M = L, class = std::enable_if_t<hasSize(M)>> T *begin() const {
    return region.data;
  }
  template <VectorLayout M = L, class = std::enable_if_t<hasSize(M)>> T *end() const {
    return region.data + region.count;
  }

  Region<T> region;
};

template <class T> class ListAccess {
public:
  using Row = VectorAccess<T, VectorLayout::SPAN>;

  const Row &operator[](std::size_t index) const { return region.at(index); }
  unsigned size() const { return unsigned(region.count); }

  Region<Row> region;
};

template <class T> class ScalarAccess {
public:
  operator T &() const { return *data; }
  T &operator*() const { return *data; }
  T *operator->() const { return data; }

  T *data;
};

} // namespace host

template <class T, VectorLayout L = VectorLayout::SPAN, unsigned MinAlign = alignof(T),
          bool Interleaved = false>
class Vector : public host::VectorAccess<T, L> {};

template <class T, VectorListLayout L, unsigned MinAlign = alignof(T), bool Interleaved = false>
class VectorList : public host::ListAccess<T> {};

template <class T> class Input : public host::ScalarAccess<const T> {};
template <class T> class Output : public host::ScalarAccess<T> {};
template <class T> class InOut : public host::ScalarAccess<T> {};

template <class T, VectorLayout L, unsigned A, bool I>
class Input<Vector<T, L, A, I>> : public host::VectorAccess<const T, L> {};
template <class T, VectorLayout L, unsigned A, bool I>
class Output<Vector<T, L, A, I>> : public host::VectorAccess<T, L> {};
template <class T, VectorLayout L, unsigned A, bool I>
class InOut<Vector<T, L, A, I>> : public host::VectorAccess<T, L> {};

template <class T, VectorListLayout L, unsigned A, bool I>
class Input<VectorList<T, L, A, I>> : public host::ListAccess<const T> {};
template <class T, VectorListLayout L, unsigned A, bool I>
class Output<VectorList<T, L, A, I>> : public host::ListAccess<T> {};
template <class T, VectorListLayout L, unsigned A, bool I>
class InOut<VectorList<T, L, A, I>> : public host::ListAccess<T> {};

class Vertex {};

class MultiVertex {
public:
  static constexpr unsigned numWorkers() { return 6; }
};

class SupervisorVertex {};

template <bool Supervisor>
using SupervisorVertexIf = std::conditional_t<Supervisor, SupervisorVertex, Vertex>;

} // namespace poplar

#endif
