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
    const Tensor in = getInTensor(0).flatten(), result = output(0), out = result.flatten();
    const auto name = poputil::templateVertex("ReciprocalRoot", in.elementType());
    const auto work = graph().addComputeSet(debugContext("rsqrt"));
    shareAmongWorkers(in.numElements(), 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("rsqrt", work, name, tile);
      connect(made, "in", in.slice(begin, end));
      connect(made, "out", out.slice(begin, end));
    });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(IpuRsqrt, NoAttributes, infer, Lowering, 1)
