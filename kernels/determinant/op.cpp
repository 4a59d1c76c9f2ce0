// Determinant: one matrix a vertex.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

Infos infer(const Inputs &in, const NoAttributes &) {
  const Shape &dims = in[0].shape();
  require(in[0].dataType() == DataType::FLOAT && dims.size() == 3 && dims[1] == dims[2],
          "FLOAT [matrix,n,n]");
  return {TensorInfo(DataType::FLOAT, {dims[0]})};
}

struct Lowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor input = getInTensor(0), result = output(0);
    const auto work = graph().addComputeSet(debugContext("determinant"));
    const std::size_t size = input.dim(1);
    for (unsigned matrix = 0; matrix != input.dim(0); ++matrix) {
      const auto made = vertex("determinant", work, "DeterminantOf", matrix);
      connect(made, "input", input[matrix].flatten());
      connect(made, "lu", variableOn(matrix, poplar::FLOAT, {size * size}, "lu"));
      connect(made, "result", result[matrix]);
      set(made, "size", unsigned(size));
    }
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

// Of the gradients of the determinants, and the matrices.
Infos inferGradient(const Inputs &in, const NoAttributes &) { return {in[1]}; }

struct GradientLowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0), input = getInTensor(1), result = output(0);
    const auto work = graph().addComputeSet(debugContext("gradient"));
    const std::size_t size = input.dim(1);
    for (unsigned matrix = 0; matrix != input.dim(0); ++matrix) {
      const auto made = vertex("determinant", work, "DeterminantGrad", matrix);
      connect(made, "gradient", gradient[matrix]);
      connect(made, "input", input[matrix].flatten());
      connect(made, "lu", variableOn(matrix, poplar::FLOAT, {size * size}, "lu"));
      connect(made, "result", result[matrix].flatten());
      set(made, "size", unsigned(size));
    }
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(Determinant, NoAttributes, infer, Lowering, 1)
ODLA_GRADIENT(Determinant, NoAttributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0)}, {0})
