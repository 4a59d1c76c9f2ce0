// YoloBoxes: all tiles decode, then one class a vertex selects.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t rows;

  template <class Visitor> void visit(Visitor &&v) { v("rows", rows); }
};

constexpr int firstOutput = 2, outputs = 3, anchors = 3;

// Width and height in pixels, for each of the network's outputs.
const float anchorSizes[outputs][anchors][2] = {{{116, 90}, {156, 198}, {373, 326}},
                                                {{30, 61}, {62, 45}, {59, 119}},
                                                {{10, 13}, {16, 30}, {33, 23}}};

Infos infer(const Inputs &in, const Attributes &a) {
  for (int side = 0; side != firstOutput; ++side)
    require(in[side].dataType() == DataType::FLOAT && in[side].nelms() == 1,
            "width and height FLOAT [1]");
  for (int i = firstOutput; i != firstOutput + outputs; ++i) {
    const Shape &dims = in[i].shape();
    require(isFloat(in[i]) && in[i].dataType() == in[firstOutput].dataType() &&
                dims.size() == 4 && dims[0] == 1 && dims[2] == dims[3] && dims[1] % anchors == 0 &&
                dims[1] >= 6 * anchors && dims[1] == in[firstOutput].dim(1),
            "outputs of one type, FLOAT or FLOAT16 [1,3*(5+C),K,K]");
  }
  require(a.rows >= 1, "a row and more");
  const std::int64_t classes = in[firstOutput].dim(1) / anchors - 5;
  return {TensorInfo(DataType::FLOAT, {classes, a.rows, 5}),
          TensorInfo(DataType::UINT32, {classes})};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const std::size_t classes = outDims(1)[0];
    std::size_t count = 0;
    for (int i = firstOutput; i != firstOutput + outputs; ++i)
      count += anchors * getInTensor(i).dim(2) * getInTensor(i).dim(3);
    const Tensor boxes = variable(poplar::FLOAT, {count, 4}, "boxes");
    const Tensor scores = variable(poplar::FLOAT, {classes, count}, "scores");
    const auto decode = graph().addComputeSet(debugContext("decode"));
    std::size_t place = 0;
    for (int i = 0; i != outputs; ++i) {
      const Tensor all = getInTensor(firstOutput + i);
      const std::size_t grid = all.dim(2), cells = grid * grid;
      const Tensor x = all.reshape({anchors, 5 + classes, cells});
      const auto name = poputil::templateVertex("DecodeCells", all.elementType());
      for (unsigned anchor = 0; anchor != anchors; ++anchor, place += cells)
        share(cells, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
          const auto made = vertex("yolo_boxes", decode, name, tile + anchor * tiles() / anchors);
          connect(made, "x", x[anchor].slice(begin, end, 1).flatten());
          connect(made, "width", getInTensor(0).reshape({}));
          connect(made, "height", getInTensor(1).reshape({}));
          connect(made, "boxes", boxes.slice(place + begin, place + end).flatten());
          connect(made, "scores", scores.slice(place + begin, place + end, 1).flatten());
          set(made, "classes", unsigned(classes));
          set(made, "first", unsigned(begin));
          set(made, "grid", unsigned(grid));
          set(made, "anchorWidth", anchorSizes[i][anchor][0]);
          set(made, "anchorHeight", anchorSizes[i][anchor][1]);
        });
    }
    prog.add(Execute(decode));
    const Tensor rows = output(0), used = output(1);
    const auto select = graph().addComputeSet(debugContext("select"));
    for (unsigned of = 0; of != classes; ++of) {
      const auto made = vertex("yolo_boxes", select, "SelectFreeBoxes", of);
      connect(made, "boxes", boxes.flatten());
      connect(made, "scores", scores[of]);
      connect(made, "rows", rows[of].flatten());
      connect(made, "used", used[of]);
      connect(made, "order", variableOn(of, poplar::INT, {count}, "order"));
    }
    prog.add(Execute(select));
    setOutTensor(0, rows);
    setOutTensor(1, used);
  }
};

} // namespace

ODLA_KERNEL(YoloBoxes, Attributes, infer, Lowering, 5)
