// IpuRsqrt: elementwise.
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
    const auto name = poputil::templateVertex("ReciprocalRoot", in.elementType());
    growElements(prog, "rsqrt", name, [&](auto made, std::size_t begin, std::size_t end) {
      connect(made, "in", in.slice(begin, end));
    });
  }
};

// Of the gradient of the result, and the result.
struct GradientLowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0).flatten(), root = getInTensor(1).flatten();
    const auto name = poputil::templateVertex("ReciprocalRootGrad", root.elementType());
    growElements(prog, "rsqrt", name, [&](auto made, std::size_t begin, std::size_t end) {
      connect(made, "gradient", gradient.slice(begin, end));
      connect(made, "root", root.slice(begin, end));
    });
  }
};

} // namespace

ODLA_KERNEL(IpuRsqrt, NoAttributes, infer, Lowering, 1)
ODLA_GRADIENT(IpuRsqrt, NoAttributes, infer, GradientLowering, {gradientOf(0), ofOutput(0)}, {0})
