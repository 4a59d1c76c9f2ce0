// ScatterReduce: some columns a vertex, in which updates come in their order.
#include "../include/odla_columns.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t axis, reduction;

  template <class Visitor> void visit(Visitor &&v) {
    v("axis", axis);
    v("reduction", reduction);
  }
};

Infos infer(const Inputs &in, const Attributes &a) {
  requireColumns(in[0], in[1], a.axis);
  require(in[2] == TensorInfo(in[0].dataType(), in[1].shape()),
          "updates of the input's type and the indices' shape");
  require(a.reduction >= 0 && a.reduction <= 4, "a reduction of 0 to 4");
  return {in[0]};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const unsigned axis = unsigned(attributes().axis);
    const Tensor indices = getInTensor(1), updates = getInTensor(2);
    const Tensor result = cloneNcopy(prog, getInTensor(0));
    const std::size_t rows = indices.dim(axis), size = result.dim(axis);
    if (indices.numElements() == 0 || size == 0)
      return setOutTensor(0, result);
    const bool isAxisLast = isLast(result, axis);
    const Tensor to = columnsOf(cutOffAxis(result, axis, indices.shape()), axis);
    const Tensor from = columnsOf(updates, axis), at = columnsOf(indices, axis);
    const auto name = poputil::templateVertex("PutElements", result.elementType());
    const auto work = graph().addComputeSet(debugContext("put"));
    shareAmongWorkers(indices.numElements() / rows, isAxisLast ? 1 : 32,
                      [&](unsigned tile, std::size_t begin, std::size_t end) {
                        const auto made = vertex("scatter_reduce", work, name, tile);
                        connect(made, "output", someColumns(to, isAxisLast, begin, end));
                        connect(made, "indices", someColumns(at, isAxisLast, begin, end));
                        connect(made, "updates", someColumns(from, isAxisLast, begin, end));
                        set(made, "columns", unsigned(end - begin));
                        set(made, "size", unsigned(size));
                        set(made, "rows", unsigned(rows));
                        set(made, "isAxisLast", isAxisLast);
                        set(made, "reduction", int(attributes().reduction));
                      });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

// The gradient of the result, the input, indices and updates.
Infos inferGradient(const Inputs &in, const Attributes &a) {
  require(isFloat(in[1]) && a.reduction <= 1,
          "FLOAT and FLOAT16; updates that replace or are added have a gradient");
  return {in[1], in[3]};
}

struct GradientLowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const unsigned axis = unsigned(attributes().axis);
    const Tensor kept = cloneNcopy(prog, getInTensor(0)), indices = getInTensor(2);
    const Tensor taken = output(1);
    const std::size_t rows = indices.dim(axis), size = kept.dim(axis);
    if (indices.numElements() != 0 && size != 0) {
      const bool isAxisLast = isLast(kept, axis);
      const Tensor from = columnsOf(cutOffAxis(kept, axis, indices.shape()), axis);
      const Tensor to = columnsOf(taken, axis), at = columnsOf(indices, axis);
      const auto name = poputil::templateVertex("TakeElements", kept.elementType());
      const auto work = graph().addComputeSet(debugContext("take"));
      shareAmongWorkers(indices.numElements() / rows, isAxisLast ? 1 : 32,
                        [&](unsigned tile, std::size_t begin, std::size_t end) {
                          const auto made = vertex("scatter_reduce", work, name, tile);
                          connect(made, "kept", someColumns(from, isAxisLast, begin, end));
                          connect(made, "indices", someColumns(at, isAxisLast, begin, end));
                          connect(made, "taken", someColumns(to, isAxisLast, begin, end));
                          set(made, "columns", unsigned(end - begin));
                          set(made, "size", unsigned(size));
                          set(made, "rows", unsigned(rows));
                          set(made, "isAxisLast", isAxisLast);
                          set(made, "isReplaced", attributes().reduction == 0);
                        });
      prog.add(Execute(work));
    }
    setOutTensor(0, kept);
    setOutTensor(1, taken);
  }
};

} // namespace

ODLA_KERNEL(ScatterReduce, Attributes, infer, Lowering, 3)
ODLA_GRADIENT(ScatterReduce, Attributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1), ofInput(2)}, {0, 2})
