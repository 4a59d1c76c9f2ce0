// IpuGelu: elementwise.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

Infos infer(const Inputs &in, const NoAttributes &) {
  require(isFloat(in[0]), "FLOAT and FLOAT16");
  return {in[0]};
}

struct Lowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor in = getInTensor(0).flatten();
    const auto name = poputil::templateVertex("TanhGelu", in.elementType());
    growElements(prog, "ipu_gelu", name, [&](auto made, std::size_t begin, std::size_t end) {
      connect(made, "in", in.slice(begin, end));
    });
  }
};

// Of the gradient of the result, and x.
struct GradientLowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0).flatten(), in = getInTensor(1).flatten();
    const auto name = poputil::templateVertex("TanhGeluGrad", in.elementType());
    growElements(prog, "ipu_gelu", name, [&](auto made, std::size_t begin, std::size_t end) {
      connect(made, "gradient", gradient.slice(begin, end));
      connect(made, "in", in.slice(begin, end));
    });
  }
};

} // namespace

ODLA_KERNEL(IpuGelu, NoAttributes, infer, Lowering, 1)
ODLA_GRADIENT(IpuGelu, NoAttributes, infer, GradientLowering, {gradientOf(0), ofInput(0)}, {0})
