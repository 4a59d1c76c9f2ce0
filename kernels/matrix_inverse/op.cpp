// MatrixInverse: one matrix a vertex.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

Infos infer(const Inputs &in, const NoAttributes &) {
  const Shape &dims = in[0].shape();
  require(in[0].dataType() == DataType::FLOAT && dims.size() == 3 && dims[1] == dims[2],
          "FLOAT [matrix,n,n]");
  return {in[0]};
}

struct Lowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor input = getInTensor(0), result = output(0);
    const auto work = graph().addComputeSet(debugContext("matrix_inverse"));
    const std::size_t size = input.dim(1);
    for (unsigned matrix = 0; matrix != input.dim(0); ++matrix) {
      const auto made = vertex("matrix_inverse", work, "InverseOf", matrix);
      connect(made, "input", input[matrix].flatten());
      connect(made, "lu", variableOn(matrix, poplar::FLOAT, {size * size}, "lu"));
      connect(made, "result", result[matrix].flatten());
      set(made, "size", unsigned(size));
    }
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

// Of the gradients of the inverses, and the inverses.
struct GradientLowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0), inverse = getInTensor(1), result = output(0);
    const auto work = graph().addComputeSet(debugContext("gradient"));
    const std::size_t size = inverse.dim(1);
    for (unsigned matrix = 0; matrix != inverse.dim(0); ++matrix) {
      const auto made = vertex("matrix_inverse", work, "InverseGrad", matrix);
      connect(made, "gradient", gradient[matrix].flatten());
      connect(made, "inverse", inverse[matrix].flatten());
      connect(made, "product", variableOn(matrix, poplar::FLOAT, {size * size}, "product"));
      connect(made, "result", result[matrix].flatten());
      set(made, "size", unsigned(size));
    }
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(MatrixInverse, NoAttributes, infer, Lowering, 1)
ODLA_GRADIENT(MatrixInverse, NoAttributes, infer, GradientLowering, {gradientOf(0), ofOutput(0)},
              {0})
