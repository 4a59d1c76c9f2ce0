// BiasGelu: elementwise, with the whole bias on each tile.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

Infos infer(const Inputs &in, const NoAttributes &) {
  require(isFloat(in[0]) && in[0].rank() >= 1 &&
              in[1] == TensorInfo(in[0].dataType(), {in[0].shape().back()}),
          "x FLOAT or FLOAT16, a bias of its type [n], as long as its last axis");
  return {in[0]};
}

struct Lowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor in = getInTensor(0).flatten(), bias = getInTensor(1);
    const auto name = poputil::templateVertex("AddBiasGelu", in.elementType());
    growElements(prog, "bias_gelu", name, [&](auto made, std::size_t begin, std::size_t end) {
      connect(made, "in", in.slice(begin, end));
      connect(made, "bias", bias);
      set(made, "first", unsigned(begin % bias.numElements()));
    });
  }
};

// The gradient of the result, x and the bias give the gradients of x, and of the bias: its sum.
Infos inferGradient(const Inputs &in, const NoAttributes &) { return {in[1], in[2]}; }

struct GradientLowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0).flatten(), in = getInTensor(1).flatten();
    const Tensor bias = getInTensor(2);
    const auto name = poputil::templateVertex("AddBiasGeluGrad", in.elementType());
    growElements(prog, "bias_gelu", name, [&](auto made, std::size_t begin, std::size_t end) {
      connect(made, "gradient", gradient.slice(begin, end));
      connect(made, "in", in.slice(begin, end));
      connect(made, "bias", bias);
      set(made, "first", unsigned(begin % bias.numElements()));
    });
    setOutTensor(1, sumOfRows(prog, getOutTensor(0), bias.numElements()));
  }
};

} // namespace

ODLA_KERNEL(BiasGelu, NoAttributes, infer, Lowering, 2)
ODLA_GRADIENT(BiasGelu, NoAttributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1)}, {0, 1})
