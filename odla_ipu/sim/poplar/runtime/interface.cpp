// What Python calls.  Functions return null or non-zero after an error, whose text is kept for the
// calling thread.
#include "core.hpp"
#include "registry.hpp"

#include <cstring>
#include <poputil/TileMapping.hpp>

namespace {

thread_local std::string lastError;

struct Description {
  popart::Attributes attributes;
  std::map<int, popart::TensorInfo> inputs;
};

// The machine, and what the engine is to check.
struct Setting {
  poplar::Target target;
  poplar::core::Options options;
};

// An op in its graph of its own, compiled.
struct Kernel {
  Setting setting;
  std::string library;
  std::unique_ptr<popart::Op> op;
  std::unique_ptr<poplar::Graph> graph;
  std::unique_ptr<popart::popx::Devicex> device;
  std::unique_ptr<popart::popx::Opx> opx;
  std::unique_ptr<poplar::core::Engine> engine;

  struct Port {
    std::size_t bytes = 0;
    bool isDirect = false; // the caller's memory can serve as the variable's
    bool exists = false;
    unsigned variable = 0;
    std::size_t align = 1;
  };
  std::vector<Port> inputs, outputs;

  void run(void *const *in, void *const *out) {
    for (std::size_t i = 0; i != inputs.size(); ++i) {
      const Port &port = inputs[i];
      if (!port.exists || !port.bytes)
        continue;
      if (port.isDirect && std::size_t(in[i]) % port.align == 0) {
        engine->bind(port.variable, in[i]);
      } else {
        engine->bind(port.variable, engine->memory(port.variable));
        std::memcpy(engine->memory(port.variable), in[i], port.bytes);
      }
    }
    for (std::size_t i = 0; i != outputs.size(); ++i) {
      const Port &port = outputs[i];
      if (port.isDirect)
        engine->bind(port.variable, std::size_t(out[i]) % port.align
                                        ? engine->memory(port.variable)
                                        : out[i]);
    }
    engine->run();
    for (std::size_t i = 0; i != outputs.size(); ++i) {
      const Port &port = outputs[i];
      if (port.bytes && !(port.isDirect && std::size_t(out[i]) % port.align == 0))
        engine->read(i, out[i]);
    }
  }
};

template <class Body> auto guarded(Body body, decltype(body()) failure) -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception &error) {
    lastError = error.what();
  } catch (...) {
    lastError = "an exception that is no std::exception";
  }
  return failure;
}

using Infos = std::map<int, popart::TensorInfo>;

std::unique_ptr<Kernel> grow(std::unique_ptr<popart::Op> op, const Infos &inputs,
                             const std::string &library, const Setting &setting);

std::unique_ptr<Kernel> create(const Description &description,
                               const popart::OperatorIdentifier &opid, const std::string &library,
                               const std::string &name, const Setting &setting) {
  using popart::error;
  const popart::host::RegisteredOp *registered = popart::host::findOp(opid, library);
  if (!registered)
    throw error("No class for {}", opid);
  popart::Op::Settings settings;
  settings.name = name;
  std::vector<popart::TensorId> ids;
  const int count = description.inputs.empty() ? 0 : description.inputs.rbegin()->first + 1;
  for (int i = 0; i != count; ++i)
    ids.push_back(description.inputs.count(i) ? "input " + std::to_string(i) : "");
  if (registered->opid.numInputs.min > 0 && count < registered->opid.numInputs.min)
    throw error("{} has {} inputs; it takes at least {}", opid, count,
                registered->opid.numInputs.min);
  std::unique_ptr<popart::Op> op = registered->factory(popart::OpCreatorInfo(
      registered->opid, settings, description.attributes, ids, description.inputs));
  if (!op)
    throw error("{}: its factory made no op", opid);
  return grow(std::move(op), description.inputs, registered->library, setting);
}

// Of a kernel, the gradient op of this number: with the types of what it is given.
std::unique_ptr<Kernel> createGradient(const Kernel &kernel, std::size_t number) {
  std::unique_ptr<popart::Op> op = std::move(kernel.op->getGradOps().at(number));
  Infos inputs;
  for (const popart::GradInOutMapper &one : op->gradInputInfo())
    inputs[one.iGrad] = one.type == popart::GradOpInType::In ? kernel.op->inInfo(one.iNonGrad)
                                                             : kernel.op->outInfo(one.iNonGrad);
  return grow(std::move(op), inputs, kernel.library, kernel.setting);
}

std::unique_ptr<Kernel> grow(std::unique_ptr<popart::Op> op, const Infos &inputs,
                             const std::string &library, const Setting &setting) {
  using popart::error;
  auto kernel = std::make_unique<Kernel>(Kernel{setting, library, std::move(op), {}, {}, {}, {}, {}, {}});
  const popart::OperatorIdentifier &opid = kernel->op->opid;
  const int count = inputs.empty() ? 0 : inputs.rbegin()->first + 1;
  for (const auto &input : inputs)
    kernel->op->connectInput(input.first, {"input " + std::to_string(input.first), input.second});
  const bool isSeeded = kernel->op->requiresRandomSeed();
  if (isSeeded)
    kernel->op->connectInput(kernel->op->getSeedInIndex(),
                             {"seed", {popart::DataType::UINT32, {2}}});
  kernel->op->setup();
  const auto &outputs = kernel->op->outputs();
  for (const auto &output : outputs)
    if (!output.second.isSet() || output.first < 0 || output.first >= int(outputs.size()))
      throw error("{}: setup() sets {} outputs, but not one after the other from 0", opid,
                  outputs.size());
  if (outputs.empty())
    throw error("{}: setup() sets no output", opid);
  for (const auto &output : outputs)
    for (std::int64_t size : output.second.shape())
      if (size < 0)
        throw error("{}: output {} is {}", opid, output.first, output.second);

  kernel->graph = std::make_unique<poplar::Graph>(setting.target);
  poplar::core::Graph &graph = kernel->graph->impl();
  graph.libraries.push_back(library);
  kernel->device = std::make_unique<popart::popx::Devicex>(*kernel->graph);
  const popart::host::RegisteredOpx *maker =
      popart::host::findOpx(opid, library);
  if (!maker)
    maker = popart::host::findOpx(opid, "");
  if (!maker)
    throw error("Could not create opx for '{}'", opid);
  kernel->opx = maker->factory(kernel->op.get(), kernel->device.get());
  std::vector<poplar::Tensor> in, out;
  kernel->inputs.resize(std::size_t(count));
  for (const auto &input : inputs) {
    Kernel::Port &port = kernel->inputs[std::size_t(input.first)];
    port.exists = true;
    port.variable = unsigned(graph.variables.size());
    const poplar::Tensor tensor =
        kernel->graph->addVariable(popart::popx::popType(input.second), input.second.shape_szt(),
                                   "input " + std::to_string(input.first));
    poputil::mapTensorLinearly(*kernel->graph, tensor);
    port.bytes = graph.variables.back().bytes();
    kernel->opx->setInTensor(input.first, tensor);
    in.push_back(tensor);
  }
  if (isSeeded) {
    const unsigned seed[] = {setting.options.seed, 0};
    const poplar::Tensor tensor =
        kernel->graph->addConstant(poplar::UNSIGNED_INT, {2}, &seed[0], "seed");
    kernel->graph->setTileMapping(tensor, 0);
    kernel->opx->setInTensor(kernel->op->getSeedInIndex(), tensor);
  }

  poplar::program::Sequence program;
  kernel->opx->grow(program);
  kernel->outputs.resize(outputs.size());
  std::map<unsigned, int> uses;
  for (std::size_t i = 0; i != outputs.size(); ++i) {
    out.push_back(kernel->opx->getOutTensor(int(i)));
    for (const poplar::core::Run &run : poplar::core::runsOf(out.back().view()))
      ++uses[run.variable];
  }
  kernel->engine = poplar::core::compile(graph, program.copy(), out, in, setting.options);
  for (Kernel::Port &port : kernel->inputs)
    if (port.exists) {
      port.isDirect = !setting.options.debug && !kernel->engine->isWritten(port.variable);
      port.align = kernel->engine->alignment(port.variable);
    }
  for (std::size_t i = 0; i != out.size(); ++i) {
    Kernel::Port &port = kernel->outputs[i];
    port.bytes = out[i].numElements() * poplar::core::sizeOf(out[i].view().code);
    const auto runs = poplar::core::runsOf(out[i].view());
    if (runs.size() != 1)
      continue;
    const poplar::core::Variable &variable = graph.variables[runs[0].variable];
    port.variable = runs[0].variable;
    port.align = kernel->engine->alignment(port.variable);
    const bool isInput = [&] {
      for (const Kernel::Port &input : kernel->inputs)
        if (input.exists && input.variable == port.variable)
          return true;
      return false;
    }();
    port.isDirect = !setting.options.debug && !isInput && runs[0].size == variable.count &&
                    !variable.isConstant && variable.initial.empty() &&
                    uses[port.variable] == 1;
  }
  return kernel;
}

} // namespace

extern "C" {

const char *odla_poplar_error() { return lastError.c_str(); }

void *odla_poplar_describe() { return new Description; }
void odla_poplar_forget(void *description) { delete static_cast<Description *>(description); }

void odla_poplar_input(void *description, int index, const char *type, const std::int64_t *dims,
                       int rank) {
  static_cast<Description *>(description)->inputs[index] =
      popart::TensorInfo(std::string(type), popart::Shape(dims, dims + rank));
}

void odla_poplar_ints(void *description, const char *name, const std::int64_t *values,
                      std::size_t count, int isList) {
  using Kind = popart::Attributes::Value::Kind;
  static_cast<Description *>(description)
      ->attributes.add(name, {isList ? Kind::INTS : Kind::INT,
                              popart::Attributes::Ints(values, values + count), {}, {}});
}

void odla_poplar_floats(void *description, const char *name, const float *values,
                        std::size_t count, int isList) {
  using Kind = popart::Attributes::Value::Kind;
  static_cast<Description *>(description)
      ->attributes.add(name, {isList ? Kind::FLOATS : Kind::FLOAT, {},
                              popart::Attributes::Floats(values, values + count), {}});
}

void odla_poplar_strings(void *description, const char *name, const char *const *values,
                         std::size_t count, int isList) {
  using Kind = popart::Attributes::Value::Kind;
  static_cast<Description *>(description)
      ->attributes.add(name, {isList ? Kind::STRINGS : Kind::STRING, {}, {},
                              popart::Attributes::Strings(values, values + count)});
}

void *odla_poplar_create(void *description, const char *domain, const char *type, int version,
                         const char *library, const char *name, unsigned tiles, unsigned workers,
                         std::size_t bytesPerTile, double clock, const char *architecture,
                         int debug, unsigned seed) {
  return guarded(
      [&]() -> void * {
        Setting setting{poplar::Target(tiles, workers, bytesPerTile, clock, architecture), {}};
        setting.options.debug = debug != 0;
        setting.options.seed = seed;
        return create(*static_cast<Description *>(description),
                      popart::OperatorIdentifier(domain, type, unsigned(version)), library, name,
                      setting)
            .release();
      },
      nullptr);
}

int odla_poplar_outputs(void *kernel) {
  return int(static_cast<Kernel *>(kernel)->op->outputs().size());
}

// Writes up to 16 dimensions; returns the rank.
int odla_poplar_output(void *kernel, int index, const char **type, std::int64_t *dims) {
  const popart::TensorInfo &info = static_cast<Kernel *>(kernel)->op->outputs().at(index);
  *type = info.data_type().c_str();
  for (int d = 0; d != info.rank() && d != 16; ++d)
    dims[d] = info.shape()[std::size_t(d)];
  return info.rank();
}

// How many gradient ops the kernel's op has; -1 after an error.
int odla_poplar_gradients(void *kernel) {
  return guarded([&] { return int(static_cast<Kernel *>(kernel)->op->getGradOps().size()); }, -1);
}

// One of them as a kernel.
void *odla_poplar_gradient(void *kernel, int number) {
  return guarded(
      [&]() -> void * {
        return createGradient(*static_cast<Kernel *>(kernel), std::size_t(number)).release();
      },
      nullptr);
}

// What input `index` of a gradient op is: the kind, as in GradOpInType, and the place of what it
// is of.  Returns -1 where there is no such input.
int odla_poplar_gradient_input(void *gradient, int index, int *kind) {
  for (const popart::GradInOutMapper &one :
       static_cast<Kernel *>(gradient)->op->gradInputInfo())
    if (one.iGrad == index) {
      *kind = int(one.type);
      return one.iNonGrad;
    }
  return -1;
}

// The input that output `index` of a gradient op is the gradient of.
int odla_poplar_gradient_output(void *gradient, int index) {
  return guarded(
      [&] { return static_cast<Kernel *>(gradient)->op->gradOutToNonGradIn().at(index); }, -1);
}

int odla_poplar_run(void *kernel, void *const *inputs, void *const *outputs) {
  return guarded([&] { return static_cast<Kernel *>(kernel)->run(inputs, outputs), 0; }, 1);
}

void odla_poplar_destroy(void *kernel) { delete static_cast<Kernel *>(kernel); }

// One op a line.
const char *odla_poplar_ops() {
  thread_local std::string text;
  text.clear();
  for (const std::string &line : popart::host::registeredOps())
    text += line + "\n";
  return text.c_str();
}

void odla_poplar_compiler(poplar::core::Compiler compiler) {
  poplar::core::setCompiler(compiler);
}

} // extern "C"
