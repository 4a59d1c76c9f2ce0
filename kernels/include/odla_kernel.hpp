// What the ops of our kernels share.  A kernel's op.cpp has, in an anonymous namespace,
//
//   struct Attributes { std::int64_t axis; template <class V> void visit(V &&v) { v("axis", axis); } };
//   Infos infer(const Inputs &in, const Attributes &a);     // types of the results; throws
//   struct Lowering : odla::Opx<Attributes> { using Opx::Opx; void grow(Sequence &prog) const; };
//   ODLA_KERNEL(Compress, Attributes, infer, Lowering, 2)   // name, ..., inputs it must have
//
// and, for training, ODLA_GRADIENT with an infer and a Lowering of the gradient op,
//
// and only uses what the Poplar SDK 3.3 and 3.4 and the host Poplar have.
#ifndef odla_kernel_hpp
#define odla_kernel_hpp

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <popart/op.hpp>
#include <popart/opmanager.hpp>
#include <popart/opserialiser.hpp>
#include <popart/popx/devicex.hpp>
#include <popart/popx/opx.hpp>
#include <popart/popx/opxmanager.hpp>
#include <popart/shapeinference.hpp>
#include <popart/tensorinfo.hpp>
#include <poplar/Graph.hpp>
#include <poplar/Program.hpp>
#include <poplar/Tensor.hpp>
#include <popops/Reduce.hpp>
#include <poputil/TileMapping.hpp>
#include <poputil/VertexTemplates.hpp>

namespace odla {

using popart::DataType;
using popart::Shape;
using popart::TensorInfo;
using poplar::Tensor;
using poplar::program::Execute;
using poplar::program::Sequence;
using Infos = std::vector<TensorInfo>;

// The types and shapes of an op's inputs.
class Inputs {
public:
  void add(int index, const TensorInfo &info) { infos[index] = info; }
  bool has(int index) const { return infos.count(index) != 0; }
  const TensorInfo &operator[](int index) const {
    const auto found = infos.find(index);
    if (found == infos.end())
      throw popart::error("input {} is missing", index);
    return found->second;
  }

private:
  std::map<int, TensorInfo> infos;
};

inline bool isFloat(const TensorInfo &info) {
  return info.dataType() == DataType::FLOAT || info.dataType() == DataType::FLOAT16;
}

// Throws unless `isFine`; `accepted` tells what the inputs and attributes must be.
inline void require(bool isFine, const std::string &accepted) {
  if (!isFine)
    throw popart::error("accepted: {}", accepted);
}

// Attributes out of a node, or out of what shape inference is given; absent lists are empty.
template <class From> struct ReadAttributes {
  const From &from;

  void operator()(const char *name, std::int64_t &value) const {
    value = from.template getAttribute<popart::Attributes::Int>(name);
  }
  void operator()(const char *name, float &value) const {
    value = from.template getAttribute<popart::Attributes::Float>(name);
  }
  void operator()(const char *name, std::string &value) const {
    value = from.template getAttribute<popart::Attributes::String>(name);
  }
  void operator()(const char *name, std::vector<std::int64_t> &value) const {
    const popart::Attributes::Ints none;
    value = from.template getAttribute<popart::Attributes::Ints>(name, none);
  }
};

template <class Attributes, class From> Attributes readAttributes(const From &from) {
  Attributes attributes;
  attributes.visit(ReadAttributes<From>{from});
  return attributes;
}

struct AppendAttributes {
  popart::OpSerialiserBase &to;

  template <class T> void operator()(const char *name, const T &value) const {
    to.appendAttribute(name, value);
  }
};

struct NoAttributes {
  template <class Visitor> void visit(Visitor &&) {}
};

// The gradient op of an op: what each of its inputs is, and which input of the op each of its
// outputs is the gradient of.
template <class Attributes> struct Gradient {
  popart::OperatorIdentifier opid;
  Infos (*infer)(const Inputs &, const Attributes &);
  std::vector<popart::GradInOutMapper> inputs;
  std::map<int, int> outputs;
};

// By the name of the op.
template <class Attributes> std::map<std::string, Gradient<Attributes>> &gradients() {
  static std::map<std::string, Gradient<Attributes>> all;
  return all;
}

template <class Attributes> class Op : public popart::Op {
public:
  using Infer = Infos (*)(const Inputs &, const Attributes &);

  Op(const popart::OperatorIdentifier &opid, const Attributes &attributes, Infer infer,
     const popart::Op::Settings &settings)
      : popart::Op(opid, settings), attributes(attributes), infer(infer) {}

  // The gradient op of another: without what that leaves out.
  Op(const Gradient<Attributes> &gradient, const Op &of)
      : popart::Op(gradient.opid, of.getSettings()), attributes(of.attributes),
        infer(gradient.infer), isGradient(true) {
    for (const popart::GradInOutMapper &one : gradient.inputs)
      if (one.type != popart::GradOpInType::In || of.hasInput(one.iNonGrad))
        gradientInputs.push_back(one);
    for (const auto &one : gradient.outputs)
      if (of.hasInput(one.second))
        gradientOutputs.insert(one);
  }

  std::unique_ptr<popart::Op> clone() const final { return std::make_unique<Op>(*this); }
  float getSubgraphValue() const final { return getHighSubgraphValue(); }
  void setup() final {
    Inputs inputs;
    for (int index = 0; index != maxInputs; ++index)
      if (hasInput(index))
        inputs.add(index, inInfo(index));
    const Infos infos = infer(inputs, attributes);
    for (int index = 0; index != int(infos.size()); ++index)
      outInfo(index) = infos[std::size_t(index)];
  }
  std::vector<std::unique_ptr<popart::Op>> getGradOps() final {
    std::vector<std::unique_ptr<popart::Op>> made;
    const auto found = gradients<Attributes>().find(opid.type);
    if (found != gradients<Attributes>().end())
      made.push_back(std::make_unique<Op>(found->second, *this));
    return made;
  }
  const std::vector<popart::GradInOutMapper> &gradInputInfo() const final {
    return isGradient ? gradientInputs : popart::Op::gradInputInfo();
  }
  const std::map<int, int> &gradOutToNonGradIn() const final {
    return isGradient ? gradientOutputs : popart::Op::gradOutToNonGradIn();
  }
  void appendAttributes(popart::OpSerialiserBase &os) const final {
    popart::Op::appendAttributes(os);
    Attributes copy = attributes;
    copy.visit(AppendAttributes{os});
  }
  void appendOutlineAttributes(popart::OpSerialiserBase &os) const final {
    popart::Op::appendOutlineAttributes(os);
    Attributes copy = attributes;
    copy.visit(AppendAttributes{os});
  }

  static constexpr int maxInputs = 16;
  Attributes attributes;

private:
  Infer infer;
  bool isGradient = false;
  std::vector<popart::GradInOutMapper> gradientInputs;
  std::map<int, int> gradientOutputs;
};

// Where the .gp files are: beside the library, or in the folder ODLA_IPU_KERNELS.
inline std::string gpFolder() {
  static const char here = 0;
  if (const char *given = std::getenv("ODLA_IPU_KERNELS"))
    return given;
  Dl_info info;
  if (!dladdr(&here, &info) || !info.dli_fname)
    return ".";
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

template <class Attributes> class Opx : public popart::popx::Opx {
public:
  Opx(popart::Op *op, popart::popx::Devicex *device) : popart::popx::Opx(op, device) {
    verifyOp<Op<Attributes>>(op, op->opid);
  }

protected:
  const Attributes &attributes() const { return getOp<Op<Attributes>>().attributes; }
  unsigned tiles() const { return graph().getTarget().getNumTiles(); }
  unsigned workers() const { return graph().getTarget().getNumWorkerContexts(); }

  // The vertex, whose codelets are those of `kernel`, on a tile.
  poplar::VertexRef vertex(const char *kernel, poplar::ComputeSet set, const std::string &name,
                           unsigned tile) const {
    if (!graph().hasCodelet(name))
      graph().addCodelets(gpFolder() + "/" + kernel + ".gp");
    const poplar::VertexRef made = graph().addVertex(set, name);
    graph().setTileMapping(made, tile % tiles());
    return made;
  }
  void connect(poplar::VertexRef to, const char *field, const Tensor &tensor) const {
    graph().connect(to[field], tensor);
  }
  template <class T> void set(poplar::VertexRef of, const char *field, T value) const {
    graph().setInitialValue(of[field], value);
  }

  Tensor variable(const poplar::Type &type, const std::vector<std::size_t> &shape,
                  const char *name) const {
    const Tensor made = graph().addVariable(type, shape, debugContext(name));
    poputil::mapTensorLinearly(graph(), made);
    return made;
  }
  Tensor variableOn(unsigned tile, const poplar::Type &type,
                    const std::vector<std::size_t> &shape, const char *name) const {
    const Tensor made = graph().addVariable(type, shape, debugContext(name));
    graph().setTileMapping(made, tile % tiles());
    return made;
  }
  std::vector<std::size_t> outDims(int index) const { return outInfo(index).shape_szt(); }

  // The op's output, mapped linearly.
  Tensor output(int index) const {
    return variable(popart::popx::popType(outInfo(index)), outDims(index),
                    ("output" + std::to_string(index)).c_str());
  }

  // Calls `work(tile, begin, end)` for equal shares of `count` items, of `grain` at least; a share
  // begins at a multiple of the grain.
  template <class Work> void share(std::size_t count, std::size_t grain, Work work) const {
    const std::size_t most = std::max<std::size_t>((count + tiles() - 1) / tiles(), 1);
    const std::size_t size = (std::max(most, grain) + grain - 1) / grain * grain;
    unsigned tile = 0;
    for (std::size_t begin = 0; begin < count; begin += size)
      work(tile++, begin, std::min(begin + size, count));
  }
  // As `share`, with each share cut for the workers of its tile.
  template <class Work> void shareAmongWorkers(std::size_t count, std::size_t grain,
                                               Work work) const {
    share(count, grain, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const std::size_t part = (end - begin + workers() - 1) / workers();
      const std::size_t size = (std::max<std::size_t>(part, 1) + grain - 1) / grain * grain;
      for (std::size_t from = begin; from < end; from += size)
        work(tile, from, std::min(from + size, end));
    });
  }

  // The sum of a tensor's rows of `size`, in FLOAT32, as its own type.
  Tensor sumOfRows(Sequence &prog, const Tensor &of, std::size_t size) const {
    const std::size_t rows = size ? of.numElements() / size : 0;
    return popops::reduce(graph(), of.reshape({rows, size}), of.elementType(), {0},
                          popops::Operation::ADD, prog, debugContext("sum"));
  }

  // Makes output 0 of vertices that each give a part of its elements in order: their field `out` is
  // connected, `fields(vertex, begin, end)` does the others.
  template <class Fields>
  void growElements(Sequence &prog, const char *kernel, const std::string &name,
                    Fields fields) const {
    const Tensor result = output(0), out = result.flatten();
    const auto work = graph().addComputeSet(debugContext(kernel));
    shareAmongWorkers(out.numElements(), 32, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex(kernel, work, name, tile);
      connect(made, "out", out.slice(begin, end));
      fields(made, begin, end);
    });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

template <class Attributes, class Lowering> struct Register {
  using Infer = typename Op<Attributes>::Infer;

  Register(const char *name, Infer infer, int inputs)
      : opid("odla.ipu", name, 1, popart::NumInputs(inputs, Op<Attributes>::maxInputs)),
        creator(popart::OpDefinitions({{opid, popart::OpDefinition()}}),
                [infer](const popart::OpCreatorInfo &info) -> std::unique_ptr<popart::Op> {
                  return std::make_unique<Op<Attributes>>(
                      info.opid, readAttributes<Attributes>(info.attributes), infer,
                      info.settings);
                },
                true),
        lowering(opid), inference(opid, [infer](popart::ShapeInferenceContext &context) {
          Inputs inputs;
          for (int index = 0; index != context.getNumInputs(); ++index)
            inputs.add(index, TensorInfo(context.inType(index), context.inShape(index)));
          const Infos infos = infer(inputs, readAttributes<Attributes>(context));
          for (int index = 0; index != int(infos.size()); ++index)
            context.outInfo(index) = infos[std::size_t(index)];
        }) {}

  popart::OperatorIdentifier opid;
  popart::OpCreator<Op<Attributes>> creator;
  popart::popx::OpxCreator<Lowering> lowering;
  popart::RegisterShapeInferenceFunction inference;
};

// What an input of a gradient op is.
struct Source {
  popart::GradOpInType type;
  int index;
};
inline Source gradientOf(int output) { return {popart::GradOpInType::GradOut, output}; }
inline Source ofInput(int input) { return {popart::GradOpInType::In, input}; }
inline Source ofOutput(int output) { return {popart::GradOpInType::Out, output}; }

template <class Attributes, class Lowering> struct RegisterGradient {
  RegisterGradient(const std::string &name, typename Op<Attributes>::Infer infer,
                   const std::vector<Source> &inputs, const std::vector<int> &outputs)
      : opid("odla.ipu", name + "Grad", 1), lowering(opid) {
    Gradient<Attributes> made{opid, infer, {}, {}};
    for (const Source &source : inputs)
      made.inputs.emplace_back(int(made.inputs.size()), source.index, source.type);
    for (int input : outputs)
      made.outputs.emplace(int(made.outputs.size()), input);
    gradients<Attributes>().insert({name, made});
  }

  popart::OperatorIdentifier opid;
  popart::popx::OpxCreator<Lowering> lowering;
};

} // namespace odla

// After ODLA_KERNEL: {what the gradient op's inputs are}, {the inputs that its outputs are for}.
#define ODLA_GRADIENT(name, Attributes, infer, Lowering, ...)                                      \
  static odla::RegisterGradient<Attributes, Lowering> gradient##name(#name, infer, __VA_ARGS__);

#define ODLA_KERNEL(name, Attributes, infer, Lowering, inputs)                                     \
  static odla::Register<Attributes, Lowering> register##name(#name, infer, inputs);

#endif
