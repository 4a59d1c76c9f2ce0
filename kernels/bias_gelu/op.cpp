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
    const Tensor in = getInTensor(0).flatten(), bias = getInTensor(1), result = output(0);
    const Tensor out = result.flatten();
    const auto name = poputil::templateVertex("AddBiasGelu", in.elementType());
    const auto work = graph().addComputeSet(debugContext("gelu"));
    shareAmongWorkers(in.numElements(), 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("bias_gelu", work, name, tile);
      connect(made, "in", in.slice(begin, end));
      connect(made, "bias", bias);
      connect(made, "out", out.slice(begin, end));
      set(made, "first", unsigned(begin % bias.numElements()));
    });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(BiasGelu, NoAttributes, infer, Lowering, 2)
