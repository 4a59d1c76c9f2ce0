// AuGruCell: some rows a vertex, with all weights.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

const char *const fields[] = {"x",        "state",   "attention", "gateWeights",
                              "gateBias", "weights", "bias"};

Infos infer(const Inputs &in, const NoAttributes &) {
  const Shape &x = in[0].shape(), &state = in[1].shape();
  require(isFloat(in[0]) && x.size() == 2 && state.size() == 2, "x [N,I] and a state [N,H]");
  const std::int64_t rows = x[0], inputs = x[1], size = state[1];
  const Shape shapes[] = {x,          {rows, size},          {rows}, {inputs + size, 2 * size},
                          {2 * size}, {inputs + size, size}, {size}};
  for (int i = 0; i != 7; ++i)
    require(in[i] == TensorInfo(in[0].dataType(), shapes[i]),
            "[N,I], [N,H], [N], [I+H,2H], [2H], [I+H,H], [H] of one type");
  return {in[1]};
}

struct Lowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor result = output(0);
    const std::size_t rows = result.dim(0), size = result.dim(1);
    const auto name = poputil::templateVertex("NextStates", result.elementType());
    const auto work = graph().addComputeSet(debugContext("step"));
    shareAmongWorkers(rows, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("au_gru_cell", work, name, tile);
      for (int i = 0; i != 7; ++i) {
        const Tensor all = getInTensor(i);
        connect(made, fields[i], (i < 3 ? all.slice(begin, end) : all).flatten());
      }
      connect(made, "next", result.slice(begin, end).flatten());
      connect(made, "sums", variableOn(tile, poplar::FLOAT, {3 * size}, "sums"));
    });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(AuGruCell, NoAttributes, infer, Lowering, 7)
