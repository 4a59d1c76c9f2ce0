// Compiles a program to steps with resolved pointers, and runs them.
#include "core.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <unordered_set>

namespace poplar {
namespace core {

namespace {

constexpr std::size_t lineBytes = 64;

// Memory that stays where it is until the pool goes.
class Pool {
public:
  Pool() = default;
  Pool(const Pool &) = delete;
  ~Pool() {
    for (char *block : blocks)
      std::free(block);
  }

  char *take(std::size_t bytes, std::size_t align) {
    std::size_t start = (used + align - 1) / align * align;
    if (blocks.empty() || start + bytes > size) {
      size = std::max<std::size_t>(bytes + align, std::size_t(1) << 16);
      void *block = nullptr;
      if (posix_memalign(&block, std::max(align, lineBytes), size))
        throw std::bad_alloc();
      std::memset(block, 0, size);
      blocks.push_back(static_cast<char *>(block));
      start = 0;
    }
    used = start + bytes;
    return blocks.back() + start;
  }

private:
  std::vector<char *> blocks;
  std::size_t used = 0, size = 0;
};

struct Memory {
  std::vector<char *> data;           // of each variable
  std::vector<std::vector<char>> written; // debug: which elements hold something
};

void moveBytes(char *to, const char *from, std::size_t bytes) {
  switch (bytes) {
  case 1: *to = *from; return;
  case 2: std::memcpy(to, from, 2); return;
  case 4: std::memcpy(to, from, 4); return;
  case 8: std::memcpy(to, from, 8); return;
  default: std::memcpy(to, from, bytes);
  }
}

template <std::size_t Size>
void moveStrided(char *to, std::ptrdiff_t toStep, const char *from, std::ptrdiff_t fromStep,
                 std::size_t count) {
  for (std::size_t i = 0; i != count; ++i, to += toStep, from += fromStep)
    std::memcpy(to, from, Size);
}

// Moves the elements of a view to or from consecutive memory.
class Mover {
public:
  explicit Mover(const View &view) : size(sizeOf(view.code)), elements(view.elements()) {
    if (elements == 0)
      return;
    if (view.table->runs.size() == 1) {
      const Run &run = view.table->runs[0];
      variable = run.variable;
      base = std::ptrdiff_t((run.begin + view.offset) * size);
      for (std::size_t d = 0; d != view.dims.size(); ++d) {
        if (view.dims[d] == 1)
          continue;
        const std::ptrdiff_t step = view.strides[d] * std::ptrdiff_t(size);
        if (!dims.empty() && steps.back() == step * std::ptrdiff_t(view.dims[d])) {
          dims.back() *= view.dims[d];
          steps.back() = step;
        } else {
          dims.push_back(view.dims[d]);
          steps.push_back(step);
        }
      }
      isStrided = true;
      isFlat = dims.empty() || (dims.size() == 1 && steps[0] == std::ptrdiff_t(size));
    } else {
      runs = runsOf(view);
      if (runs.size() == 1) {
        variable = runs[0].variable;
        base = std::ptrdiff_t(runs[0].begin * size);
        isStrided = isFlat = true;
        runs.clear();
      }
    }
  }

  bool flat() const { return elements == 0 || isFlat; }
  std::size_t bytes() const { return elements * size; }
  char *pointer(Memory &memory) const {
    static char nothing[lineBytes];
    return elements ? memory.data[variable] + base : nothing;
  }

  void gather(Memory &memory, char *to) const { move<true>(memory, to); }
  void scatter(Memory &memory, const char *from) const {
    move<false>(memory, const_cast<char *>(from));
  }
  bool uses(unsigned which) const {
    if (elements == 0)
      return false;
    if (isStrided)
      return variable == which;
    return std::any_of(runs.begin(), runs.end(),
                       [&](const Run &run) { return run.variable == which; });
  }
  std::vector<unsigned> variables() const {
    if (elements == 0)
      return {};
    if (isStrided)
      return {variable};
    std::vector<unsigned> result;
    for (const Run &run : runs)
      result.push_back(run.variable);
    return result;
  }

private:
  template <bool Gather> void move(Memory &memory, char *flat) const {
    if (elements == 0)
      return;
    if (!isStrided) {
      for (const Run &run : runs) {
        char *own = memory.data[run.variable] + run.begin * size;
        const std::size_t count = run.size * size;
        Gather ? moveBytes(flat, own, count) : moveBytes(own, flat, count);
        flat += count;
      }
      return;
    }
    char *own = memory.data[variable] + base;
    if (isFlat) {
      Gather ? moveBytes(flat, own, bytes()) : moveBytes(own, flat, bytes());
      return;
    }
    const std::size_t last = dims.size() - 1, inner = dims[last];
    std::vector<std::size_t> index(last, 0);
    while (true) {
      moveRow<Gather>(flat, own, steps[last], inner);
      flat += inner * size;
      std::size_t d = last;
      while (d > 0) {
        --d;
        own += steps[d];
        if (++index[d] != dims[d])
          break;
        own -= steps[d] * std::ptrdiff_t(dims[d]);
        index[d] = 0;
        if (d == 0)
          return;
      }
      if (last == 0)
        return;
    }
  }

  template <bool Gather>
  void moveRow(char *flat, char *own, std::ptrdiff_t step, std::size_t count) const {
    const std::ptrdiff_t one = std::ptrdiff_t(size);
    if (step == one) {
      Gather ? std::memcpy(flat, own, count * size) : std::memcpy(own, flat, count * size);
      return;
    }
    char *to = Gather ? flat : own;
    const char *from = Gather ? own : flat;
    const std::ptrdiff_t toStep = Gather ? one : step, fromStep = Gather ? step : one;
    switch (size) {
    case 1: return moveStrided<1>(to, toStep, from, fromStep, count);
    case 2: return moveStrided<2>(to, toStep, from, fromStep, count);
    case 4: return moveStrided<4>(to, toStep, from, fromStep, count);
    default: return moveStrided<8>(to, toStep, from, fromStep, count);
    }
  }

  std::size_t size, elements;
  unsigned variable = 0;
  std::ptrdiff_t base = 0;
  Dims dims;
  std::vector<std::ptrdiff_t> steps;
  std::vector<Run> runs;
  bool isStrided = false, isFlat = false;
};

std::string describe(const Graph &graph, const std::vector<Run> &runs) {
  std::string result;
  for (std::size_t i = 0; i != runs.size() && i != 3; ++i) {
    const Variable &variable = graph.variables[runs[i].variable];
    result += (i ? ", " : "") + variable.name;
    if (runs[i].begin || runs[i].size != variable.count)
      result += text("[", runs[i].begin, ":", runs[i].begin + runs[i].size, "]");
  }
  return runs.empty() ? "nothing" : runs.size() > 3 ? result + ", ..." : result;
}

std::string where(const Vertex &vertex) {
  return text("vertex ", vertex.type->name, " on tile ", vertex.tile);
}

// What an edge of a vertex is bound to.
struct Edge {
  const host::Field *field;
  std::vector<Run> runs;
  std::size_t elements;
  char **slot;   // where the vertex holds the pointer
  std::size_t index; // within a list
};

// A vertex as the program runs it.
struct Instance {
  const Vertex *vertex;
  void *state;
  std::size_t firstEdge, lastEdge;
};

struct Step {
  virtual ~Step() = default;
  virtual void run() = 0;
};

struct SequenceStep : Step {
  std::vector<std::unique_ptr<Step>> steps;
  void run() override {
    for (auto &step : steps)
      step->run();
  }
};

// A vertex whose code is running, so that a failing access can be named.
struct Running {
  const Graph *graph = nullptr;
  const Vertex *vertex = nullptr;
  const void *state = nullptr;
  const std::vector<Edge> *edges = nullptr;
  std::size_t firstEdge = 0, lastEdge = 0;
};
thread_local Running running;

// Stretches of a variable, `step` bytes apart, and the memory that a vertex sees, where they lie
// one after the other.
struct Piece {
  unsigned variable;
  std::size_t offset;
  char *local;
  std::size_t bytes;
  std::size_t count;
  std::ptrdiff_t step;

  template <bool Gather> void move(char *data) const {
    char *own = data + offset;
    switch (count == 1 ? 0 : bytes) {
    case 1: return moveMany<Gather, 1>(own);
    case 2: return moveMany<Gather, 2>(own);
    case 4: return moveMany<Gather, 4>(own);
    case 8: return moveMany<Gather, 8>(own);
    case 16: return moveMany<Gather, 16>(own);
    case 32: return moveMany<Gather, 32>(own);
    }
    char *flat = local;
    for (std::size_t i = 0; i != count; ++i, own += step, flat += bytes)
      Gather ? std::memcpy(flat, own, bytes) : std::memcpy(own, flat, bytes);
  }

private:
  template <bool Gather, std::size_t Bytes> void moveMany(char *own) const {
    const std::ptrdiff_t one = std::ptrdiff_t(Bytes);
    Gather ? moveStrided<Bytes>(local, one, own, step, count)
           : moveStrided<Bytes>(own, step, local, one, count);
  }
};

// Adds stretches in their order, those of one size and distance as one piece.
void addStretch(std::vector<Piece> &pieces, std::size_t first, unsigned variable,
                std::size_t offset, char *local, std::size_t bytes) {
  if (pieces.size() != first) {
    Piece &last = pieces.back();
    const std::ptrdiff_t step =
        std::ptrdiff_t(offset) - std::ptrdiff_t(last.offset) -
        std::ptrdiff_t(last.count - 1) * last.step;
    if (last.variable == variable && last.bytes == bytes &&
        (last.count == 1 || step == last.step)) {
      last.step = step;
      ++last.count;
      return;
    }
  }
  pieces.push_back({variable, offset, local, bytes, 1, 0});
}

struct ComputeStep : Step {
  struct Call {
    void (*compute)(void *, unsigned);
    void *state;
    bool multi;
  };
  Memory &memory;
  unsigned workers;
  std::vector<Call> calls;
  std::vector<Piece> before, after;

  ComputeStep(Memory &memory, unsigned workers) : memory(memory), workers(workers) {}

  void run() override {
    for (const Piece &piece : before)
      piece.move<true>(memory.data[piece.variable]);
    for (const Call &call : calls) {
      call.compute(call.state, 0);
      if (call.multi)
        for (unsigned worker = 1; worker != workers; ++worker)
          call.compute(call.state, worker);
    }
    for (const Piece &piece : after)
      piece.move<false>(memory.data[piece.variable]);
  }
};

constexpr std::size_t guardBytes = 64;
constexpr unsigned char guardByte = 0x5a;

// As ComputeStep, in any order, each edge in memory of its own between guards.
struct CheckedStep : Step {
  const Graph &graph;
  Memory &memory;
  unsigned workers;
  std::vector<Instance> instances;
  std::vector<Edge> edges;
  std::string name;
  std::mt19937 &random;

  CheckedStep(const Graph &graph, Memory &memory, unsigned workers, std::mt19937 &random)
      : graph(graph), memory(memory), workers(workers), random(random) {}

  struct Local {
    std::vector<char> bytes;
    char *start = nullptr;
    std::size_t count = 0;
  };

  void fill(const Edge &edge, Local &local, const std::vector<char> &before, unsigned char poison) {
    if (edge.field->direction == host::Direction::OUT)
      std::memset(local.start, poison, local.count);
    else
      std::memcpy(local.start, before.data(), local.count);
    *edge.slot = local.start;
  }

  void checkGuards(const Vertex &vertex, const Edge &edge, const Local &local) {
    const char *low = local.start - guardBytes, *high = local.start + local.count;
    for (std::size_t i = 0; i != guardBytes; ++i)
      for (const char *guard : {low, high})
        if ((unsigned char)guard[i] != guardByte)
          throw application_runtime_error(
              text(where(vertex), ", field ", edge.field->name, ": it writes ",
                   guard == low ? "before the begin" : "beyond the end", " of its ",
                   edge.elements, " elements, ", describe(graph, edge.runs)));
  }

  void compute(const Instance &instance) {
    std::vector<unsigned> order(instance.vertex->type->vertex->multi ? workers : 1);
    for (unsigned i = 0; i != order.size(); ++i)
      order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (unsigned worker : order)
      instance.vertex->type->vertex->compute(instance.state, worker);
  }

  void run() override {
    std::vector<std::size_t> order(instances.size());
    for (std::size_t i = 0; i != order.size(); ++i)
      order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    // Inputs are those from before the compute set.
    std::vector<std::vector<char>> before(edges.size());
    for (std::size_t e = 0; e != edges.size(); ++e) {
      const std::size_t size = edges[e].field->size;
      for (const Run &run : edges[e].runs) {
        const char *from = memory.data[run.variable] + run.begin * size;
        before[e].insert(before[e].end(), from, from + run.size * size);
      }
    }
    for (std::size_t i : order)
      runOne(instances[i], before);
    running = Running();
  }

  void runOne(const Instance &instance, const std::vector<std::vector<char>> &before) {
    const Vertex &vertex = *instance.vertex;
    running = {&graph, &vertex, instance.state, &edges, instance.firstEdge, instance.lastEdge};
    const std::size_t stateBytes = vertex.type->vertex->size;
    std::vector<Local> locals(instance.lastEdge - instance.firstEdge);
    for (std::size_t i = 0; i != locals.size(); ++i) {
      const Edge &edge = edges[instance.firstEdge + i];
      Local &local = locals[i];
      local.count = edge.elements * edge.field->size;
      local.bytes.assign(local.count + 2 * guardBytes + lineBytes, char(guardByte));
      const std::size_t address = std::size_t(local.bytes.data()) + guardBytes;
      local.start = local.bytes.data() + guardBytes + (lineBytes - address % lineBytes) % lineBytes;
    }
    // Twice with different contents of the outputs: what differs nowhere is written.
    std::vector<char> state(static_cast<char *>(instance.state),
                            static_cast<char *>(instance.state) + stateBytes);
    std::vector<std::vector<char>> first(locals.size());
    for (int round = 0; round != 2; ++round) {
      for (std::size_t i = 0; i != locals.size(); ++i)
        fill(edges[instance.firstEdge + i], locals[i], before[instance.firstEdge + i],
             round ? 0xfe : 0xff);
      compute(instance);
      for (std::size_t i = 0; i != locals.size(); ++i) {
        const Edge &edge = edges[instance.firstEdge + i];
        checkGuards(vertex, edge, locals[i]);
        if (edge.field->direction == host::Direction::IN &&
            std::memcmp(locals[i].start, before[instance.firstEdge + i].data(), locals[i].count))
          throw application_runtime_error(
              text(where(vertex), ", field ", edge.field->name, ": it writes to its input, ",
                   describe(graph, edge.runs)));
        if (round == 0)
          first[i].assign(locals[i].start, locals[i].start + locals[i].count);
      }
      if (round == 0)
        std::memcpy(instance.state, state.data(), stateBytes);
    }
    for (std::size_t i = 0; i != locals.size(); ++i)
      store(edges[instance.firstEdge + i], locals[i], first[i],
            before[instance.firstEdge + i]);
  }

  void store(const Edge &edge, const Local &local, const std::vector<char> &first,
             const std::vector<char> &before) {
    if (edge.field->direction == host::Direction::IN)
      return;
    const std::size_t size = edge.field->size;
    const std::string one(size, char(0xff)), two(size, char(0xfe));
    std::size_t position = 0;
    for (const Run &run : edge.runs)
      for (std::size_t i = 0; i != run.size; ++i, ++position) {
        const char *value = &first[position * size];
        bool isWritten;
        if (edge.field->direction == host::Direction::OUT)
          isWritten = std::memcmp(value, one.data(), size) != 0 ||
                      std::memcmp(local.start + position * size, two.data(), size) != 0;
        else
          isWritten = std::memcmp(value, &before[position * size], size) != 0;
        if (!isWritten)
          continue;
        std::memcpy(memory.data[run.variable] + (run.begin + i) * size, value, size);
        memory.written[run.variable][run.begin + i] = 1;
      }
  }
};

struct CopyStep : Step {
  Memory &memory;
  Mover source, target;
  std::vector<char> between;
  bool isSafe;

  CopyStep(Memory &memory, const View &from, const View &to)
      : memory(memory), source(from), target(to) {
    isSafe = true;
    for (unsigned variable : target.variables())
      isSafe = isSafe && !source.uses(variable);
    if (!isSafe || (!source.flat() && !target.flat()))
      between.resize(source.bytes());
  }

  void run() override {
    if (!between.empty()) {
      source.gather(memory, between.data());
      target.scatter(memory, between.data());
    } else if (target.flat()) {
      source.gather(memory, target.pointer(memory));
    } else {
      target.scatter(memory, source.pointer(memory));
    }
  }
};

// Debug: which elements of the target hold something now.
struct WrittenStep : Step {
  Memory &memory;
  std::vector<Run> from, to;
  bool value; // without a source

  WrittenStep(Memory &memory, const View *from, const View &to, bool value)
      : memory(memory), to(runsOf(to)), value(value) {
    if (from)
      this->from = runsOf(*from);
  }

  void run() override {
    std::vector<char> flags;
    for (const Run &run : from)
      flags.insert(flags.end(), memory.written[run.variable].begin() + long(run.begin),
                   memory.written[run.variable].begin() + long(run.begin + run.size));
    std::size_t position = 0;
    for (const Run &run : to)
      for (std::size_t i = 0; i != run.size; ++i)
        memory.written[run.variable][run.begin + i] =
            from.empty() ? value : flags[position++];
  }
};

struct HostStep : Step {
  Memory &memory;
  const HostFunction &function;
  std::vector<Mover> inputs, outputs;
  std::vector<std::vector<char>> buffers;
  std::vector<void *> in, out;
  std::vector<bool> isDirect; // outputs that no input shares

  HostStep(Memory &memory, const Node &node) : memory(memory), function(node.host) {
    for (std::size_t i = 0; i != node.tensors.size(); ++i)
      (i < node.inputs ? inputs : outputs).emplace_back(*node.tensors[i]);
    for (const Mover &output : outputs) {
      bool direct = output.flat();
      for (unsigned variable : output.variables())
        for (std::size_t i = node.inPlace ? 1 : 0; i < inputs.size(); ++i)
          direct = direct && !inputs[i].uses(variable);
      isDirect.push_back(direct);
    }
    in.resize(inputs.size());
    out.resize(outputs.size());
    buffers.resize(inputs.size() + outputs.size());
    for (std::size_t i = 0; i != inputs.size(); ++i)
      if (!inputs[i].flat())
        buffers[i].resize(inputs[i].bytes());
    for (std::size_t i = 0; i != outputs.size(); ++i)
      if (!isDirect[i])
        buffers[inputs.size() + i].resize(outputs[i].bytes() + 1);
  }

  void run() override {
    for (std::size_t i = 0; i != inputs.size(); ++i) {
      if (!buffers[i].empty())
        inputs[i].gather(memory, buffers[i].data());
      in[i] = buffers[i].empty() ? inputs[i].pointer(memory) : buffers[i].data();
    }
    for (std::size_t i = 0; i != outputs.size(); ++i)
      out[i] = isDirect[i] ? outputs[i].pointer(memory) : buffers[inputs.size() + i].data();
    function(in, out);
    for (std::size_t i = 0; i != outputs.size(); ++i)
      if (!isDirect[i])
        outputs[i].scatter(memory, buffers[inputs.size() + i].data());
  }
};

struct ControlStep : Step {
  Memory &memory;
  Kind kind;
  std::string message;
  std::unique_ptr<Mover> control;
  Code code = Code::BOOL;
  std::vector<std::unique_ptr<Step>> bodies;
  std::vector<std::int32_t> cases;
  unsigned count = 0;

  ControlStep(Memory &memory, const Node &node)
      : memory(memory), kind(node.kind), message(node.name), cases(node.cases),
        count(node.number) {
    if (!node.tensors.empty()) {
      control = std::make_unique<Mover>(*node.tensors[0]);
      code = node.tensors[0]->code;
    }
  }

  bool isTrue() const { return *control->pointer(memory) != 0; }

  void run() override {
    switch (kind) {
    case Kind::REPEAT:
      for (unsigned i = 0; i != count; ++i)
        bodies[0]->run();
      return;
    case Kind::WHILE_TRUE:
    case Kind::WHILE_FALSE:
      while (true) {
        bodies[0]->run();
        if (isTrue() != (kind == Kind::WHILE_TRUE))
          return;
        bodies[1]->run();
      }
    case Kind::IF:
      return bodies[isTrue() ? 0 : 1]->run();
    case Kind::SWITCH: {
      std::int32_t value;
      std::memcpy(&value, control->pointer(memory), 4);
      const auto found = std::find(cases.begin(), cases.end(), value);
      return bodies[std::size_t(found - cases.begin())]->run();
    }
    case Kind::CALL:
      return bodies[0]->run();
    case Kind::ABORT:
      if (isTrue())
        throw application_runtime_error(message.empty() ? "the program aborts" : message);
      return;
    case Kind::ERROR:
      throw application_runtime_error(text(message, ": ", values()));
    case Kind::PRINT:
      std::fprintf(stderr, "%s%s%s\n", message.c_str(), message.empty() ? "" : ": ",
                   values().c_str());
      return;
    default:
      return;
    }
  }

  std::string values() const {
    const std::size_t size = sizeOf(code), count = control->bytes() / size;
    std::vector<char> bytes(control->bytes() + 1);
    control->gather(memory, bytes.data());
    const bool isFloat = code == Code::FLOAT || code == Code::HALF;
    std::string result = "[";
    for (std::size_t i = 0; i != count; ++i) {
      float real;
      std::int64_t whole;
      convert(code, &bytes[i * size], isFloat ? Code::FLOAT : Code::LONGLONG,
              isFloat ? static_cast<void *>(&real) : &whole, 1);
      result += (i ? " " : "") + (isFloat ? text(real) : text(whole));
    }
    return result + "]";
  }
};

// The program with its memory.
class Machine : public Engine {
public:
  Machine(Graph &graph, std::shared_ptr<const Node> program, const std::vector<Tensor> &outputs,
          const std::vector<Tensor> &inputs, const Options &options)
      : graph(graph), program(std::move(program)), options(options), random(options.seed),
        isChanged(graph.variables.size(), 0), aligns(graph.variables.size(), 1),
        slots(graph.variables.size()) {
    for (const Tensor &tensor : inputs)
      for (const Run &run : runsOf(tensor.view()))
        isInput.insert(run.variable);
    for (const Tensor &tensor : outputs) {
      results.push_back(std::make_shared<View>(tensor.view()));
      readers.emplace_back(tensor.view());
    }
    for (std::size_t i = 0; i != aligns.size(); ++i)
      aligns[i] = sizeOf(graph.variables[i].code);
    checkMapping();
    allocate();
    root = build(*this->program);
    if (options.debug)
      checkTileMemory();
  }

  void bind(unsigned variable, void *data) override {
    // Addresses as numbers: that of an input which was never bound is 0.
    const std::size_t next = std::size_t(data), shift = next - std::size_t(memory_.data[variable]);
    if (shift == 0)
      return;
    for (char **slot : slots[variable])
      *slot = reinterpret_cast<char *>(std::size_t(*slot) + shift);
    memory_.data[variable] = static_cast<char *>(data);
  }

  void *memory(unsigned variable) override {
    if (!own[variable])
      own[variable] = pool.take(graph.variables[variable].bytes() + lineBytes, lineBytes);
    return own[variable];
  }

  void run() override {
    if (options.debug)
      poison();
    root->run();
    if (options.debug)
      checkWritten();
  }

  bool isWritten(unsigned variable) const override { return isChanged[variable]; }
  std::size_t alignment(unsigned variable) const override { return aligns[variable]; }

  void read(std::size_t output, void *target) override {
    readers[output].gather(memory_, static_cast<char *>(target));
  }

private:
  void checkMapping() {
    for (const Variable &variable : graph.variables) {
      std::size_t next = 0;
      for (const auto &entry : variable.tiles) {
        if (entry.first != next)
          break;
        next = entry.second.first;
      }
      if (next != variable.count)
        throw invalid_tile_mapping(text(variable.name, ": element ", next, " of ", variable.count,
                                        " has no tile: map the tensor with setTileMapping or "
                                        "poputil::mapTensorLinearly"));
    }
  }

  void checkTileMemory() {
    std::vector<std::size_t> used(graph.tileCount(), 0);
    for (const Variable &variable : graph.variables)
      for (const auto &entry : variable.tiles)
        used[entry.second.second] +=
            (entry.second.first - entry.first) * sizeOf(variable.code);
    for (const Vertex &vertex : graph.vertices)
      if (vertex.tile >= 0)
        used[std::size_t(vertex.tile)] += vertex.type->vertex->size / 2;
    const std::size_t limit = graph.target.getBytesPerTile();
    for (std::size_t tile = 0; tile != used.size(); ++tile) {
      if (used[tile] <= limit)
        continue;
      std::string largest;
      std::size_t most = 0;
      for (const Variable &variable : graph.variables) {
        std::size_t here = 0;
        for (const auto &entry : variable.tiles)
          if (entry.second.second == tile)
            here += (entry.second.first - entry.first) * sizeOf(variable.code);
        if (here > most)
          most = here, largest = text(variable.name, " takes ", here);
      }
      throw graph_memory_allocation_error(text("tile ", tile, " needs ", used[tile],
                                               " bytes and has ", limit, "; ", largest));
    }
  }

  // Inputs get memory of their own only when they need it: they are bound before each run.
  void allocate() {
    for (unsigned i = 0; i != graph.variables.size(); ++i) {
      const Variable &variable = graph.variables[i];
      char *data = isInput.count(i)
                       ? nullptr
                       : pool.take(variable.bytes() + lineBytes, lineBytes);
      if (data)
        std::copy(variable.initial.begin(), variable.initial.end(), data);
      own.push_back(data);
    }
    memory_.data = own;
  }

  void poison() {
    memory_.written.clear();
    for (unsigned i = 0; i != graph.variables.size(); ++i) {
      const Variable &variable = graph.variables[i];
      const bool isFull = variable.isConstant || isInput.count(i);
      memory_.written.emplace_back(variable.count, isFull ? 1 : 0);
      if (isFull)
        continue;
      const std::size_t size = sizeOf(variable.code);
      std::memset(memory_.data[i], 0xff, variable.bytes());
      for (const Run &run : variable.initialised) {
        std::copy_n(&variable.initial[run.begin * size], run.size * size,
                    memory_.data[i] + run.begin * size);
        std::fill_n(memory_.written.back().begin() + long(run.begin), run.size, char(1));
      }
    }
  }

  void checkWritten() {
    for (std::size_t i = 0; i != results.size(); ++i) {
      std::size_t position = 0;
      for (const Run &run : runsOf(*results[i]))
        for (std::size_t e = 0; e != run.size; ++e, ++position)
          if (!memory_.written[run.variable][run.begin + e])
            throw application_runtime_error(
                text("element ", position, " of output ", i, " is never written (element ",
                     run.begin + e, " of ", graph.variables[run.variable].name, ")"));
    }
  }

  void changes(const View &view) {
    for (const Run &run : runsOf(view))
      isChanged[run.variable] = 1;
  }

  std::unique_ptr<Step> build(const Node &node) {
    switch (node.kind) {
    case Kind::SEQUENCE: {
      auto step = std::make_unique<SequenceStep>();
      for (const auto &child : node.children)
        step->steps.push_back(build(*child));
      return step;
    }
    case Kind::EXECUTE:
      return options.debug ? buildSet<true>(node.number) : buildSet<false>(node.number);
    case Kind::COPY: {
      changes(*node.tensors[1]);
      auto copy = std::make_unique<CopyStep>(memory_, *node.tensors[0], *node.tensors[1]);
      return noting(std::move(copy), node.tensors[0].get(), *node.tensors[1], true);
    }
    case Kind::UNDEFINED: {
      auto step = std::make_unique<SequenceStep>();
      return noting(std::move(step), nullptr, *node.tensors[0], false);
    }
    case Kind::HOST: {
      std::unique_ptr<Step> step = std::make_unique<HostStep>(memory_, node);
      for (std::size_t i = node.inputs; i != node.tensors.size(); ++i) {
        changes(*node.tensors[i]);
        step = noting(std::move(step), nullptr, *node.tensors[i], true);
      }
      return step;
    }
    default: {
      auto step = std::make_unique<ControlStep>(memory_, node);
      for (const auto &child : node.children)
        step->bodies.push_back(build(*child));
      if (node.kind == Kind::CALL) {
        if (node.number >= graph.functions.size())
          throw control_program_error("Call of a function that is not of this graph");
        step->bodies.push_back(build(*graph.functions[node.number]));
      }
      return step;
    }
    }
  }

  std::unique_ptr<Step> noting(std::unique_ptr<Step> step, const View *from, const View &to,
                               bool value) {
    if (!options.debug)
      return step;
    auto both = std::make_unique<SequenceStep>();
    both->steps.push_back(std::move(step));
    both->steps.push_back(std::make_unique<WrittenStep>(memory_, from, to, value));
    return both;
  }

  template <bool Checked> std::unique_ptr<Step> buildSet(unsigned number) {
    const Compute &set = graph.sets[number];
    const unsigned workers = graph.target.getNumWorkerContexts();
    std::vector<Edge> edges;
    std::vector<Instance> instances;
    for (unsigned id : set.vertices) {
      const Vertex &vertex = graph.vertices[id];
      if (vertex.tile < 0)
        throw invalid_tile_mapping(text("vertex ", vertex.type->name, " of compute set ",
                                        set.name, " has no tile: use setTileMapping"));
      Instance instance{&vertex, nullptr, edges.size(), 0};
      instance.state = makeState(vertex, edges);
      instance.lastEdge = edges.size();
      instances.push_back(instance);
    }
    for (const Edge &edge : edges)
      if (edge.field->direction != host::Direction::IN)
        for (const Run &run : edge.runs)
          isChanged[run.variable] = 1;
    if constexpr (Checked) {
      checkRaces(set, instances, edges);
      auto step = std::make_unique<CheckedStep>(graph, memory_, workers, random);
      step->instances = std::move(instances);
      step->edges = std::move(edges);
      step->name = set.name;
      return step;
    } else {
      auto step = std::make_unique<ComputeStep>(memory_, workers);
      for (const Instance &instance : instances)
        step->calls.push_back({instance.vertex->type->vertex->compute, instance.state,
                               instance.vertex->type->vertex->multi});
      for (const Edge &edge : edges)
        bindEdge(edge, *step);
      return step;
    }
  }

  // The vertex object with its numbers; its edges go to `edges`.
  void *makeState(const Vertex &vertex, std::vector<Edge> &edges) {
    const VertexType &type = *vertex.type;
    char *state = pool.take(type.vertex->size, std::max<std::size_t>(type.vertex->align, 8));
    std::memset(state, 0, type.vertex->size);
    using Words = std::size_t[2];
    for (const InitialValue &value : vertex.values) {
      const host::Field &field = type.fields[value.field];
      char *target = state + field.offset;
      if (value.isArray) {
        char *data = pool.take(value.bytes.size() + 8, std::max<std::size_t>(field.align, 8));
        Words &words = *reinterpret_cast<Words *>(target);
        words[0] = std::size_t(data);
        words[1] = value.count;
        target = data;
      }
      std::copy(value.bytes.begin(), value.bytes.end(), target);
    }
    for (unsigned f = 0; f != type.fields.size(); ++f) {
      const host::Field &field = type.fields[f];
      if (field.direction == host::Direction::NONE)
        continue;
      char *target = state + field.offset;
      if (field.form == host::Form::SCALAR || field.form == host::Form::VECTOR) {
        const Connection *found = nullptr;
        for (const Connection &connection : vertex.connections)
          if (connection.field == f)
            found = &connection;
        if (!found)
          unconnected(vertex, field, "");
        addEdge(field, *found->views[0], target, 0, edges);
        continue;
      }
      std::vector<const View *> views;
      for (const auto &size : vertex.sizes)
        if (size.first == f)
          views.resize(size.second);
      bool isConnected = !views.empty();
      for (const Connection &connection : vertex.connections) {
        if (connection.field != f)
          continue;
        isConnected = true;
        if (connection.isList) {
          views.clear();
          for (const auto &view : connection.views)
            views.push_back(view.get());
        } else {
          if (connection.index >= views.size())
            throw graph_connection_error(text(where(vertex), ", field ", field.name, ": index ",
                                              connection.index, " of ", views.size(),
                                              ": use setFieldSize"));
          views[connection.index] = connection.views[0].get();
        }
      }
      if (!isConnected)
        unconnected(vertex, field, "");
      const std::size_t step = field.form == host::Form::VECTORS ? sizeof(Words) : sizeof(char *);
      char *list = pool.take(views.size() * step + 8, 8);
      Words &words = *reinterpret_cast<Words *>(target);
      words[0] = std::size_t(list);
      words[1] = views.size();
      for (std::size_t i = 0; i != views.size(); ++i) {
        if (!views[i])
          unconnected(vertex, field, text("[", i, "]"));
        addEdge(field, *views[i], list + i * step, i, edges);
      }
    }
    return state;
  }

  [[noreturn]] void unconnected(const Vertex &vertex, const host::Field &field,
                                const std::string &index) {
    throw graph_connection_error(
        text(where(vertex), ": field ", field.name, index, " is not connected"));
  }

  void addEdge(const host::Field &field, const View &view, char *target, std::size_t index,
               std::vector<Edge> &edges) {
    Edge edge{&field, runsOf(view), view.elements(), reinterpret_cast<char **>(target), index};
    if (field.form == host::Form::VECTOR || field.form == host::Form::VECTORS)
      reinterpret_cast<std::size_t *>(target)[1] = edge.elements;
    edges.push_back(std::move(edge));
  }

  // Straight to the variable's memory where it can be, else to a copy of the elements.
  void bindEdge(const Edge &edge, ComputeStep &step) {
    static char nothing[lineBytes];
    const std::size_t size = edge.field->size;
    if (edge.runs.empty()) {
      *edge.slot = nothing;
      return;
    }
    const Run &first = edge.runs[0];
    if (edge.runs.size() == 1 && first.begin * size % edge.field->align == 0) {
      *edge.slot = reinterpret_cast<char *>(std::size_t(own[first.variable]) + first.begin * size);
      slots[first.variable].push_back(edge.slot);
      aligns[first.variable] = std::max<std::size_t>(aligns[first.variable], edge.field->align);
      return;
    }
    char *local = pool.take(edge.elements * size + lineBytes, lineBytes);
    *edge.slot = local;
    const std::size_t firstBefore = step.before.size(), firstAfter = step.after.size();
    for (const Run &run : edge.runs) {
      const std::size_t offset = run.begin * size, bytes = run.size * size;
      addStretch(step.before, firstBefore, run.variable, offset, local, bytes);
      if (edge.field->direction != host::Direction::IN)
        addStretch(step.after, firstAfter, run.variable, offset, local, bytes);
      local += bytes;
    }
  }

  void checkRaces(const Compute &set, const std::vector<Instance> &instances,
                  const std::vector<Edge> &edges) {
    struct Use {
      Run run;
      std::size_t instance, edge;
      bool writes;
    };
    std::vector<Use> uses;
    for (std::size_t i = 0; i != instances.size(); ++i)
      for (std::size_t e = instances[i].firstEdge; e != instances[i].lastEdge; ++e)
        for (const Run &run : edges[e].runs)
          uses.push_back({run, i, e, edges[e].field->direction != host::Direction::IN});
    std::sort(uses.begin(), uses.end(), [](const Use &a, const Use &b) {
      return a.run.variable != b.run.variable ? a.run.variable < b.run.variable
                                              : a.run.begin < b.run.begin;
    });
    // The furthest-reaching read and write before each use, of two different edges each.
    std::vector<const Use *> open;
    for (const Use &use : uses) {
      open.erase(std::remove_if(open.begin(), open.end(),
                                [&](const Use *other) {
                                  return other->run.variable != use.run.variable ||
                                         other->run.begin + other->run.size <= use.run.begin;
                                }),
                 open.end());
      for (const Use *other : open) {
        if (!(use.writes || other->writes) ||
            (use.edge == other->edge && !use.writes))
          continue;
        const Use &writer = use.writes ? use : *other, &reader = use.writes ? *other : use;
        const std::size_t end = std::min(use.run.begin + use.run.size,
                                         other->run.begin + other->run.size);
        const Vertex &one = *instances[writer.instance].vertex;
        const Vertex &two = *instances[reader.instance].vertex;
        const Run shared{use.run.variable, use.run.begin, end - use.run.begin};
        throw graph_error(text("compute set ", set.name, ": ", where(one), ", field ",
                               edges[writer.edge].field->name, ", writes ",
                               describe(graph, {shared}), ", which ", where(two), ", field ",
                               edges[reader.edge].field->name, ", ",
                               reader.writes ? "writes" : "reads",
                               " in the same compute set"));
      }
      open.push_back(&use);
      if (open.size() > 4096) // only reads: keep those that reach furthest
        trim(open);
    }
  }

  template <class Use> static void trim(std::vector<const Use *> &open) {
    std::sort(open.begin(), open.end(), [](const Use *a, const Use *b) {
      return a->run.begin + a->run.size > b->run.begin + b->run.size;
    });
    open.resize(2048);
  }

  Graph &graph;
  std::shared_ptr<const Node> program;
  Options options;
  std::mt19937 random;
  std::unordered_set<unsigned> isInput;
  std::vector<std::shared_ptr<const View>> results;
  std::vector<Mover> readers;
  Pool pool;
  Memory memory_;
  std::vector<char *> own;
  std::vector<char> isChanged;
  std::vector<std::size_t> aligns;
  std::vector<std::vector<char **>> slots;
  std::unique_ptr<Step> root;
};

} // namespace

std::unique_ptr<Engine> compile(Graph &graph, std::shared_ptr<const Node> program,
                                const std::vector<Tensor> &outputs,
                                const std::vector<Tensor> &inputs, const Options &options) {
  return std::make_unique<Machine>(graph, std::move(program), outputs, inputs, options);
}

} // namespace core

namespace host {

void outOfRange(const void *edge, std::size_t index, std::size_t count) {
  using core::running;
  using core::text;
  if (!running.vertex)
    throw poplar_error(text("element ", index, " of ", count, " is used"));
  const std::string vertex = core::where(*running.vertex);
  for (std::size_t e = running.firstEdge; e != running.lastEdge; ++e) {
    const core::Edge &known = (*running.edges)[e];
    if (known.slot != edge)
      continue;
    const bool isList = known.field->form == Form::VECTORS;
    throw application_runtime_error(text(
        vertex, ", field ", known.field->name, isList ? text("[", known.index, "]") : "",
        ": element ", index, " is used, but it has ", count, ", ",
        core::describe(*running.graph, known.runs)));
  }
  const char *state = static_cast<const char *>(running.state);
  for (const Field &field : running.vertex->type->fields)
    if (state + field.offset == static_cast<const char *>(edge))
      throw application_runtime_error(text(vertex, ", field ", field.name, ": element ", index,
                                           " is used, but it has ", count));
  throw application_runtime_error(text(vertex, ": element ", index, " of ", count, " is used"));
}

} // namespace host
} // namespace poplar
