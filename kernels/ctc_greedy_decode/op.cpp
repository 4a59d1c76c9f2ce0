// CtcGreedyDecode: the likeliest labels by all tiles, then one sequence a vertex.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t blank, mergeRepeated;

  template <class Visitor> void visit(Visitor &&v) {
    v("blank", blank);
    v("merge_repeated", mergeRepeated);
  }
};

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &dims = in[0].shape();
  require(isFloat(in[0]) && dims.size() == 3 && dims[2] >= 1, "logits FLOAT or FLOAT16 [T,B,C]");
  require(!in.has(1) || (in[1].dataType() == DataType::INT32 && in[1].shape() == Shape{dims[1]}),
          "lengths INT32 [B]");
  require(a.blank >= -1 && a.blank < dims[2], "a blank of -1 to C-1");
  return {TensorInfo(DataType::INT32, {dims[1], dims[0]}),
          TensorInfo(DataType::INT32, {dims[1]})};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor logits = getInTensor(0);
    const std::size_t steps = logits.dim(0), batch = logits.dim(1), classes = logits.dim(2);
    const Tensor best = variable(poplar::INT, {steps, batch}, "best");
    const auto find = graph().addComputeSet(debugContext("likeliest"));
    const auto name = poputil::templateVertex("LikeliestLabels", logits.elementType());
    shareAmongWorkers(steps * batch, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("ctc_greedy_decode", find, name, tile);
      connect(made, "logits", logits.flatten().slice(begin * classes, end * classes));
      connect(made, "best", best.flatten().slice(begin, end));
      set(made, "classes", unsigned(classes));
    });
    prog.add(Execute(find));
    const Tensor labels = output(0), counts = output(1);
    const Tensor lengths = hasInput(1) ? getInTensor(1) : allSteps(steps, batch);
    const int blank = attributes().blank < 0 ? int(classes) - 1 : int(attributes().blank);
    const auto collapse = graph().addComputeSet(debugContext("collapse"));
    for (unsigned of = 0; of != batch; ++of) {
      const auto made = vertex("ctc_greedy_decode", collapse, "CollapseLabels", of);
      connect(made, "best", best.slice(of, of + 1, 1).flatten());
      connect(made, "length", lengths[of]);
      connect(made, "labels", labels[of]);
      connect(made, "count", counts[of]);
      set(made, "blank", blank);
      set(made, "mergeRepeated", attributes().mergeRepeated != 0);
    }
    prog.add(Execute(collapse));
    setOutTensor(0, labels);
    setOutTensor(1, counts);
  }

private:
  Tensor allSteps(std::size_t steps, std::size_t batch) const {
    const Tensor one = graph().addConstant(poplar::INT, {1}, int(steps), debugContext("steps"));
    graph().setTileMapping(one, 0);
    return one.broadcast(unsigned(std::max<std::size_t>(batch, 1)), 0);
  }
};

} // namespace

ODLA_KERNEL(CtcGreedyDecode, Attributes, infer, Lowering, 1)
