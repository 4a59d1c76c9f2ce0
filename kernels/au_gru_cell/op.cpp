// AuGruCell: some rows a vertex, with all weights.
#include "../include/odla_kernel.hpp"

#include <popops/Cast.hpp>

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

// The gradient of the result, and the inputs.
Infos inferGradient(const Inputs &in, const NoAttributes &) {
  return {in[1], in[2], in[3], in[4], in[5], in[6], in[7]};
}

struct GradientLowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const std::size_t rows = getInTensor(2).dim(0), size = getInTensor(2).dim(1);
    const Tensor ofX = output(0), ofState = output(1), ofAttention = output(2);
    const Tensor ofGates = variable(poplar::FLOAT, {rows, 2 * size}, "gates");
    const Tensor ofCandidate = variable(poplar::FLOAT, {rows, size}, "candidate");
    const Tensor resetState = variable(poplar::FLOAT, {rows, size}, "resetState");
    const auto type = ofX.elementType();
    const auto back = graph().addComputeSet(debugContext("back"));
    const auto name = poputil::templateVertex("StatesGrad", type);
    shareAmongWorkers(rows, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("au_gru_cell", back, name, tile);
      connect(made, "gradient", getInTensor(0).slice(begin, end).flatten());
      for (int i = 0; i != 7; ++i) {
        const Tensor all = getInTensor(i + 1);
        connect(made, fields[i], (i < 3 ? all.slice(begin, end) : all).flatten());
      }
      connect(made, "ofX", ofX.slice(begin, end).flatten());
      connect(made, "ofState", ofState.slice(begin, end).flatten());
      connect(made, "ofAttention", ofAttention.slice(begin, end));
      connect(made, "ofGates", ofGates.slice(begin, end).flatten());
      connect(made, "ofCandidate", ofCandidate.slice(begin, end).flatten());
      connect(made, "resetState", resetState.slice(begin, end).flatten());
      connect(made, "sums", variableOn(tile, poplar::FLOAT, {3 * size}, "sums"));
    });
    prog.add(Execute(back));
    const Tensor x = popops::cast(graph(), getInTensor(1), poplar::FLOAT, prog, debugContext("x"));
    const Tensor state =
        popops::cast(graph(), getInTensor(2), poplar::FLOAT, prog, debugContext("state"));
    const Tensor ofGateWeights = output(3), ofWeights = output(5);
    const auto sum = graph().addComputeSet(debugContext("weights"));
    weights(sum, poplar::concat(x, state, 1), ofGates, ofGateWeights);
    weights(sum, poplar::concat(x, resetState, 1), ofCandidate, ofWeights);
    prog.add(Execute(sum));
    const Tensor results[] = {ofX,           ofState,
                              ofAttention,   ofGateWeights,
                              bias(prog, ofGates, type), ofWeights,
                              bias(prog, ofCandidate, type)};
    for (int i = 0; i != 7; ++i)
      setOutTensor(i, results[i]);
  }

private:
  // A vertex for each row of the weights.
  void weights(poplar::ComputeSet set, const Tensor &factors, const Tensor &gradient,
               const Tensor &out) const {
    const auto name = poputil::templateVertex("WeightsGrad", out.elementType());
    for (unsigned row = 0; row != out.dim(0); ++row) {
      const auto made = vertex("au_gru_cell", set, name, row);
      connect(made, "factors", factors.slice(row, row + 1, 1).flatten());
      connect(made, "gradient", gradient.flatten());
      connect(made, "out", out[row]);
      connect(made, "sums", variableOn(row, poplar::FLOAT, {out.dim(1)}, "sums"));
    }
  }
  Tensor bias(Sequence &prog, const Tensor &gradient, const poplar::Type &type) const {
    return popops::cast(graph(), sumOfRows(prog, gradient.flatten(), gradient.dim(1)), type, prog,
                        debugContext("bias"));
  }
};

} // namespace

ODLA_KERNEL(AuGruCell, NoAttributes, infer, Lowering, 7)
ODLA_GRADIENT(AuGruCell, NoAttributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1), ofInput(2), ofInput(3), ofInput(4),
               ofInput(5), ofInput(6)},
              {0, 1, 2, 3, 4, 5, 6})
