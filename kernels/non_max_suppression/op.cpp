// NonMaxSuppression: each class of each image is one vertex; one more collects their rows.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t maxSelected, rows;
  float iouThreshold, scoreThreshold;

  template <class Visitor> void visit(Visitor &&v) {
    v("max_selected", maxSelected);
    v("iou_threshold", iouThreshold);
    v("score_threshold", scoreThreshold);
    v("rows", rows);
  }
};

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &boxes = in[0].shape(), &scores = in[1].shape();
  require(isFloat(in[0]) && in[0].dataType() == in[1].dataType() && boxes.size() == 3 &&
              scores.size() == 3 && boxes[2] == 4 && boxes[0] == scores[0] &&
              boxes[1] == scores[2],
          "boxes FLOAT or FLOAT16 [B,n,4] and scores of their type [B,C,n]");
  require(a.maxSelected >= 1 && a.rows >= 1, "max_selected and rows of 1 and more");
  return {TensorInfo(DataType::INT32, {a.rows, 3}), TensorInfo(DataType::INT32, {1})};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor boxes = getInTensor(0), scores = getInTensor(1);
    const std::size_t images = scores.dim(0), classes = scores.dim(1), count = scores.dim(2);
    const std::size_t room =
        std::min<std::size_t>(std::size_t(attributes().maxSelected), count);
    const auto type = scores.elementType();
    const auto name = poputil::templateVertex("SelectBoxes", type);
    const Tensor chosen = variable(poplar::INT, {images * classes, room}, "chosen");
    const Tensor counts = variable(poplar::INT, {images * classes}, "counts");
    const auto select = graph().addComputeSet(debugContext("select"));
    for (unsigned of = 0; of != images * classes; ++of) {
      const auto made = vertex("non_max_suppression", select, name, of);
      connect(made, "boxes", boxes[of / classes].flatten());
      connect(made, "scores", scores[of / classes][of % classes]);
      connect(made, "chosen", chosen[of]);
      connect(made, "count", counts[of]);
      connect(made, "order", variableOn(of, poplar::INT, {count}, "order"));
      connect(made, "kept", variableOn(of, poplar::FLOAT, {5 * room}, "kept"));
      set(made, "iouThreshold", attributes().iouThreshold);
      set(made, "scoreThreshold", attributes().scoreThreshold);
    }
    const Tensor rows = output(0), used = output(1);
    const auto collect = graph().addComputeSet(debugContext("collect"));
    const auto made = vertex("non_max_suppression", collect, "CollectBoxes", 0);
    connect(made, "counts", counts);
    connect(made, "chosen", chosen.flatten());
    connect(made, "rows", rows.flatten());
    connect(made, "used", used[0]);
    set(made, "room", unsigned(room));
    set(made, "classes", unsigned(std::max<std::size_t>(classes, 1)));
    prog.add(Execute(select));
    prog.add(Execute(collect));
    setOutTensor(0, rows);
    setOutTensor(1, used);
  }
};

} // namespace

ODLA_KERNEL(NonMaxSuppression, Attributes, infer, Lowering, 2)
