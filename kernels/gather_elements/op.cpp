// GatherElements: some columns a vertex.
#include "../include/odla_columns.hpp"

#include <popops/Cast.hpp>
#include <popops/Zero.hpp>

using namespace odla;

namespace {

struct Attributes {
  std::int64_t axis;

  template <class Visitor> void visit(Visitor &&v) { v("axis", axis); }
};

Infos infer(const Inputs &in, const Attributes &a) {
  requireColumns(in[0], in[1], a.axis);
  return {TensorInfo(in[0].dataType(), in[1].shape())};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const unsigned axis = unsigned(attributes().axis);
    const Tensor indices = getInTensor(1), result = output(0);
    const Tensor input = cutOffAxis(getInTensor(0), axis, indices.shape());
    const bool isAxisLast = isLast(input, axis);
    const poplar::Type type = movedAs(graph(), input.elementType());
    const std::size_t rows = indices.dim(axis), size = input.dim(axis);
    if (result.numElements() == 0 || size == 0)
      return setOutTensor(0, result);
    const Tensor from = columnsOf(input.reinterpret(type), axis);
    const Tensor to = columnsOf(result.reinterpret(type), axis), at = columnsOf(indices, axis);
    const auto name = poputil::templateVertex("PickElements", type);
    const auto work = graph().addComputeSet(debugContext("pick"));
    shareAmongWorkers(result.numElements() / rows, isAxisLast ? 1 : 32,
                      [&](unsigned tile, std::size_t begin, std::size_t end) {
                        const auto made = vertex("gather_elements", work, name, tile);
                        connect(made, "input", someColumns(from, isAxisLast, begin, end));
                        connect(made, "indices", someColumns(at, isAxisLast, begin, end));
                        connect(made, "output", someColumns(to, isAxisLast, begin, end));
                        set(made, "columns", unsigned(end - begin));
                        set(made, "size", unsigned(size));
                        set(made, "rows", unsigned(rows));
                        set(made, "isAxisLast", isAxisLast);
                      });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

// The gradient of the result, the input and indices: elements are added to where they come from.
Infos inferGradient(const Inputs &in, const Attributes &) {
  require(isFloat(in[1]), "FLOAT and FLOAT16");
  return {in[1]};
}

struct GradientLowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const unsigned axis = unsigned(attributes().axis);
    const Tensor gradient = getInTensor(0), indices = getInTensor(2);
    const Tensor sums = variable(poplar::FLOAT, getInTensor(1).shape(), "sums");
    popops::zero(graph(), sums, prog, debugContext("zero"));
    const std::size_t rows = indices.dim(axis), size = sums.dim(axis);
    if (gradient.numElements() != 0 && size != 0) {
      const bool isAxisLast = isLast(sums, axis);
      const Tensor to = columnsOf(cutOffAxis(sums, axis, indices.shape()), axis);
      const Tensor from = columnsOf(gradient, axis), at = columnsOf(indices, axis);
      const auto name = poputil::templateVertex("AddElements", gradient.elementType());
      const auto work = graph().addComputeSet(debugContext("add"));
      shareAmongWorkers(gradient.numElements() / rows, isAxisLast ? 1 : 32,
                        [&](unsigned tile, std::size_t begin, std::size_t end) {
                          const auto made = vertex("gather_elements", work, name, tile);
                          connect(made, "sums", someColumns(to, isAxisLast, begin, end));
                          connect(made, "indices", someColumns(at, isAxisLast, begin, end));
                          connect(made, "gradient", someColumns(from, isAxisLast, begin, end));
                          set(made, "columns", unsigned(end - begin));
                          set(made, "size", unsigned(size));
                          set(made, "rows", unsigned(rows));
                          set(made, "isAxisLast", isAxisLast);
                        });
      prog.add(Execute(work));
    }
    setOutTensor(0, popops::cast(graph(), sums, gradient.elementType(), prog,
                                 debugContext("gradient")));
  }
};

} // namespace

ODLA_KERNEL(GatherElements, Attributes, infer, Lowering, 2)
ODLA_GRADIENT(GatherElements, Attributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1)}, {0})
