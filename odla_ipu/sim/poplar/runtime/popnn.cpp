#include <popnn/NonLinearity.hpp>
#include <popops/ElementWise.hpp>
#include <popops/Reduce.hpp>

namespace popnn {

namespace pe = popops::expr;
using poplar::Tensor;

namespace {

// Exponentials over their sum, of the differences to the largest.
Tensor softmaxOf(poplar::Graph &graph, Tensor x, poplar::program::Sequence &prog,
                 const poplar::DebugContext &name) {
  const unsigned last = x.rank() - 1, size = unsigned(x.dim(last));
  const auto spread = [&](const Tensor &row) { return row.expand({last}).broadcast(size, last); };
  const Tensor most = popops::reduce(graph, x, {last}, popops::Operation::MAX, prog);
  const Tensor y = popops::map(graph, pe::Exp(pe::_1 - pe::_2), {x, spread(most)}, prog, name);
  const Tensor total = popops::reduce(graph, y, {last}, popops::Operation::ADD, prog);
  popops::divInPlace(graph, y, spread(total), prog);
  return y;
}

pe::Any expression(NonLinearityType type) {
  switch (type) {
  case NonLinearityType::SIGMOID: return pe::Sigmoid(pe::_1);
  case NonLinearityType::HARD_SIGMOID:
    return pe::Clamp(pe::_1 * 0.2f + 0.5f, pe::Const(0.0f), pe::Const(1.0f));
  case NonLinearityType::RELU: return pe::Relu(pe::_1);
  case NonLinearityType::TANH: return pe::Tanh(pe::_1);
  case NonLinearityType::GELU:
    return pe::_1 * 0.5f *
           (pe::Tanh((pe::_1 + pe::_1 * pe::_1 * pe::_1 * 0.044715f) * 0.7978845608f) + 1.0f);
  case NonLinearityType::GELU_ERF: return pe::GeluErf(pe::_1);
  default: return pe::_1 * pe::Sigmoid(pe::_1);
  }
}

bool isSoftmax(NonLinearityType type) {
  return type == NonLinearityType::SOFTMAX || type == NonLinearityType::SOFTMAX_STABLE ||
         type == NonLinearityType::SOFTMAX_SCALED;
}

} // namespace

Tensor nonLinearity(poplar::Graph &graph, NonLinearityType type, Tensor tensor,
                    poplar::program::Sequence &prog, const poplar::DebugContext &name,
                    const poplar::OptionFlags &) {
  if (!isSoftmax(type))
    return popops::map(graph, expression(type), {tensor}, prog, name);
  const Tensor y = softmaxOf(graph, tensor, prog, name);
  if (type == NonLinearityType::SOFTMAX_SCALED)
    popops::mulInPlace(graph, y, 16.0f, prog);
  return y;
}

void nonLinearityInPlace(poplar::Graph &graph, NonLinearityType type, Tensor tensor,
                         poplar::program::Sequence &prog, const poplar::DebugContext &name,
                         const poplar::OptionFlags &) {
  prog.add(poplar::program::Copy(nonLinearity(graph, type, tensor, prog, name), tensor));
}

} // namespace popnn
