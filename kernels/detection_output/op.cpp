// DetectionOutput: all tiles decode, one class of one image a vertex suppresses, one image a
// vertex keeps the best.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t backgroundLabel, keepTopK, numClasses, shareLocation, codeType, nmsTopK;
  float confidenceThreshold, nmsThreshold, nmsEta;

  template <class Visitor> void visit(Visitor &&v) {
    v("background_label", backgroundLabel);
    v("confidence_threshold", confidenceThreshold);
    v("keep_top_k", keepTopK);
    v("num_classes", numClasses);
    v("share_location", shareLocation);
    v("code_type", codeType);
    v("nms_threshold", nmsThreshold);
    v("nms_top_k", nmsTopK);
    v("nms_eta", nmsEta);
  }
};

Infos infer(const Inputs &in, const Attributes &a) {
  require(isFloat(in[0]) && in[1].dataType() == in[0].dataType() &&
              in[2].dataType() == in[0].dataType() && in[1].rank() >= 1,
          "loc, conf and priorbox of one type, FLOAT or FLOAT16");
  require(a.numClasses >= 1 && a.keepTopK >= 1 && a.codeType >= 1 && a.codeType <= 3,
          "num_classes and keep_top_k of 1 and more, a code_type of 1, 2 or 3");
  const std::int64_t batch = in[1].dim(0), priors = in[2].nelms() / 8;
  const std::int64_t sets = a.shareLocation ? 1 : a.numClasses;
  require(in[2].nelms() == 8 * priors && in[1].nelms() == batch * priors * a.numClasses &&
              in[0].nelms() == batch * priors * sets * 4,
          "loc [N,priors*4], times num_classes unless share_location, conf "
          "[N,priors*num_classes], priorbox [1,2,priors*4]");
  return {TensorInfo(DataType::INT32, {batch}),
          TensorInfo(DataType::FLOAT, {batch, a.keepTopK, 7})};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const std::size_t batch = outDims(0)[0], priors = getInTensor(2).numElements() / 8;
    const std::size_t classes = std::size_t(attributes().numClasses);
    const std::size_t sets = attributes().shareLocation ? 1 : classes;
    const Tensor used = output(0), rows = output(1);
    const Tensor location = getInTensor(0).reshape({batch, priors, sets, 4});
    const Tensor scores = getInTensor(1).reshape({batch, priors, classes});
    const Tensor prior = getInTensor(2).reshape({2, priors, 4});
    const auto type = location.elementType();

    const Tensor boxes = variable(poplar::FLOAT, {batch, priors, sets, 4}, "boxes");
    const auto decode = graph().addComputeSet(debugContext("decode"));
    for (unsigned image = 0; image != batch; ++image)
      share(priors, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
        const auto made = vertex("detection_output", decode,
                                 poputil::templateVertex("DecodeBoxes", type), tile + image);
        connect(made, "location", location[image].slice(begin, end).flatten());
        connect(made, "priors", prior[0].slice(begin, end).flatten());
        connect(made, "variances", prior[1].slice(begin, end).flatten());
        connect(made, "boxes", boxes[image].slice(begin, end).flatten());
        set(made, "codeType", int(attributes().codeType));
      });
    prog.add(Execute(decode));

    const std::int64_t topK = attributes().nmsTopK;
    const std::size_t room = topK < 0 ? priors : std::min(priors, std::size_t(topK));
    const Tensor chosen = variable(poplar::INT, {batch, classes, room}, "chosen");
    const Tensor counts = variable(poplar::INT, {batch, classes}, "counts");
    const auto suppress = graph().addComputeSet(debugContext("suppress"));
    for (unsigned image = 0; image != batch; ++image)
      for (unsigned label = 0; label != classes; ++label) {
        const unsigned tile = image * unsigned(classes) + label;
        const auto made = vertex("detection_output", suppress,
                                 poputil::templateVertex("SuppressBoxes", type), tile);
        const unsigned set_ = sets == 1 ? 0 : label;
        connect(made, "boxes", boxes[image].slice(set_, set_ + 1, 1).flatten());
        connect(made, "scores", scores[image].slice(label, label + 1, 1).flatten());
        connect(made, "chosen", chosen[image][label]);
        connect(made, "count", counts[image][label]);
        connect(made, "order", variableOn(tile, poplar::INT, {priors}, "order"));
        const bool isBackground = std::int64_t(label) == attributes().backgroundLabel;
        set(made, "confidence", attributes().confidenceThreshold);
        set(made, "threshold", attributes().nmsThreshold);
        set(made, "eta", attributes().nmsEta);
        set(made, "topK", isBackground ? 0 : int(room));
      }
    prog.add(Execute(suppress));

    const auto keep = graph().addComputeSet(debugContext("keep"));
    for (unsigned image = 0; image != batch; ++image) {
      const auto made =
          vertex("detection_output", keep, poputil::templateVertex("KeepBest", type), image);
      connect(made, "counts", counts[image]);
      connect(made, "chosen", chosen[image].flatten());
      connect(made, "scores", scores[image].flatten());
      connect(made, "boxes", boxes[image].flatten());
      connect(made, "rows", rows[image].flatten());
      connect(made, "used", used[image]);
      connect(made, "order", variableOn(image, poplar::INT, {classes * room}, "order"));
      connect(made, "found", variableOn(image, poplar::FLOAT, {classes * room}, "found"));
      set(made, "room", unsigned(room));
      set(made, "sets", unsigned(sets));
      set(made, "image", int(image));
    }
    prog.add(Execute(keep));
    setOutTensor(0, used);
    setOutTensor(1, rows);
  }
};

} // namespace

ODLA_KERNEL(DetectionOutput, Attributes, infer, Lowering, 3)
