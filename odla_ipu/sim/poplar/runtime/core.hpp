// What stands behind the public classes: storage, views of it, vertices, programs.
#ifndef core_hpp
#define core_hpp

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <host/vertices.hpp>
#include <poplar/Graph.hpp>
#include <poplar/Program.hpp>
#include <poplar/exceptions.hpp>

namespace poplar {
namespace core {

using host::Code;
using Dims = std::vector<std::size_t>;

std::size_t sizeOf(Code code);
const char *nameOf(Code code);
std::size_t product(const Dims &dims);
std::string toString(const Dims &dims);

template <class... Parts> std::string text(const Parts &...parts) {
  std::ostringstream stream;
  using expand = int[];
  (void)expand{0, ((void)(stream << parts), 0)...};
  return stream.str();
}

// Converts `count` elements; a float that leaves an integer's range wraps.
void convert(Code from, const void *source, Code to, void *target, std::size_t count);

// Consecutive elements of a variable.
struct Run {
  unsigned variable;
  std::size_t begin;
  std::size_t size;
};

// Runs in a row: what a view's offset and strides count in.
struct Table {
  std::vector<Run> runs;
  std::vector<std::size_t> starts; // where in the table a run begins
  std::size_t size = 0;

  void append(const Run &run); // joins it to the last run if it continues that
  std::size_t find(std::size_t position) const;
};

struct Graph;

struct View {
  Graph *graph;
  Code code;
  std::shared_ptr<const Table> table;
  std::size_t offset;
  Dims dims;
  std::vector<std::ptrdiff_t> strides;

  std::size_t elements() const { return product(dims); }
};

std::shared_ptr<const View> wholeView(Graph *graph, Code code, std::shared_ptr<const Table> table,
                                      const Dims &dims);
// The runs of a view's elements in their order.
std::vector<Run> runsOf(const View &view);

struct Variable {
  Code code;
  std::size_t count;
  std::string name;
  bool isConstant = false;
  std::vector<char> initial;                             // bytes it starts with; may be empty
  std::map<std::size_t, std::pair<std::size_t, unsigned>> tiles; // begin -> (end, tile)
  std::vector<Run> initialised;                          // by setInitialValue

  std::size_t bytes() const { return count * sizeOf(code); }
};

struct Connection {
  unsigned field;
  std::size_t index; // of a list of edges; FieldRef::whole: the field itself
  bool isList;
  std::vector<std::shared_ptr<const View>> views;
};

struct InitialValue {
  unsigned field;
  std::vector<char> bytes; // of the field's type
  std::size_t count;
  bool isArray;
};

// A vertex class as its library registered it, with its fields.
struct VertexType {
  const host::VertexClass *vertex;
  std::string name;
  std::string library;
  std::vector<host::Field> fields;

  int find(const std::string &name) const;
};

struct Vertex {
  const VertexType *type;
  unsigned set;
  long tile = -1;
  std::vector<Connection> connections;
  std::vector<InitialValue> values;
  std::vector<std::pair<unsigned, std::size_t>> sizes; // setFieldSize
};

struct Compute {
  std::string name;
  std::vector<unsigned> vertices;
};

struct Graph {
  Target target;
  std::vector<std::string> libraries; // whose vertices are preferred
  std::vector<Variable> variables;
  std::vector<Vertex> vertices;
  std::vector<Compute> sets;
  std::vector<std::shared_ptr<const Node>> functions;

  Tensor addVariable(Code code, const Dims &dims, const std::string &name);
  void map(const Run &run, unsigned tile);
  unsigned tileCount() const { return target.getNumTiles(); }
};

// The registered vertex of this name, one of `libraries` first; null without one.
const VertexType *findVertex(const std::string &name, const std::vector<std::string> &libraries);
// The path of the shared object that holds `address`.
std::string libraryOf(const void *address);
// Makes a shared object of codelets from a source file; returns its path or, after '!', a message.
using Compiler = const char *(*)(const char *path, const char *source, const char *flags);
void setCompiler(Compiler compiler);
// Names of instances compare without blanks, poplar:: and integer suffixes.
std::string canonicalName(const std::string &name);

// Native work on whole tensors, of the library functions in popops.
using HostFunction = std::function<void(const std::vector<void *> &inputs,
                                        const std::vector<void *> &outputs)>;

enum class Kind {
  SEQUENCE,
  EXECUTE,
  COPY,
  UNDEFINED,
  REPEAT,
  WHILE_TRUE,
  WHILE_FALSE,
  IF,
  SWITCH,
  CALL,
  PRINT,
  ABORT,
  ERROR,
  HOST
};

struct Node {
  Kind kind = Kind::SEQUENCE;
  std::string name;
  std::vector<std::shared_ptr<const Node>> children;
  std::vector<std::shared_ptr<const View>> tensors; // HOST: inputs, then outputs
  std::size_t inputs = 0;                           // HOST: how many are inputs
  std::vector<std::int32_t> cases;
  unsigned number = 0; // compute set, function, count
  HostFunction host;
  bool inPlace = false; // HOST: the first output is the first input
};

program::Program hostProgram(const std::string &name, const std::vector<Tensor> &inputs,
                             const std::vector<Tensor> &outputs, HostFunction function,
                             bool inPlace = false);

// A compiled program and its memory.
struct Options {
  bool debug = false;
  unsigned seed = 1;
};

class Engine {
public:
  virtual ~Engine() = default;
  // `data` serves as the variable's memory from now on.
  virtual void bind(unsigned variable, void *data) = 0;
  virtual void *memory(unsigned variable) = 0;
  virtual void run() = 0;
  // Whether the program may write to the variable; the alignment that its edges need.
  virtual bool isWritten(unsigned variable) const = 0;
  virtual std::size_t alignment(unsigned variable) const = 0;
  virtual void read(std::size_t output, void *target) = 0; // an output's elements, after a run
};

std::unique_ptr<Engine> compile(Graph &graph, std::shared_ptr<const Node> program,
                                const std::vector<Tensor> &outputs,
                                const std::vector<Tensor> &inputs, const Options &options);

} // namespace core
} // namespace poplar

#endif
