// RoiMaxPool: channels are shared by the tiles; where they are few, regions are, too.
#include "../include/odla_kernel.hpp"

#include <popops/Cast.hpp>
#include <popops/Zero.hpp>

using namespace odla;

namespace {

struct Attributes {
  std::int64_t height, width;
  float scale;

  template <class Visitor> void visit(Visitor &&v) {
    v("height", height);
    v("width", width);
    v("scale", scale);
  }
};

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &dims = in[0].shape(), &rois = in[1].shape();
  require(isFloat(in[0]) && dims.size() == 4, "an input FLOAT or FLOAT16 [N,C,H,W]");
  require(in[1].dataType() == DataType::FLOAT && rois.size() == 2 && rois[1] == 4 &&
              in[2].dataType() == DataType::INT32 && in[2].shape() == Shape{rois[0]},
          "rois FLOAT [R,4], images INT32 [R]");
  require(a.height >= 1 && a.width >= 1, "a height and width of 1 and more");
  return {TensorInfo(in[0].dataType(), {rois[0], dims[1], a.height, a.width})};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor input = getInTensor(0), rois = getInTensor(1), images = getInTensor(2);
    const Tensor result = output(0);
    const std::size_t channels = input.dim(1), regions = rois.dim(0);
    if (result.numElements() == 0)
      return setOutTensor(0, result);
    const auto name = poputil::templateVertex("PoolRegions", input.elementType());
    const auto work = graph().addComputeSet(debugContext("pool"));
    const std::size_t all = std::size_t(tiles()) * workers();
    const std::size_t parts = std::min(regions, std::max<std::size_t>(all / channels, 1));
    const std::size_t most = (regions + parts - 1) / parts;
    shareAmongWorkers(channels * parts, 1, [&](unsigned tile, std::size_t from, std::size_t to) {
      while (from < to) { // channels of one part of the regions at a time
        const std::size_t part = from / channels, begin = from % channels;
        const std::size_t end = std::min(channels, begin + to - from);
        from += end - begin;
        const std::size_t first = part * most, last = std::min(first + most, regions);
        if (first >= last)
          continue;
        const auto made = vertex("roi_max_pool", work, name, tile);
        connect(made, "input", input.slice(begin, end, 1).flatten());
        connect(made, "rois", rois.slice(first, last).flatten());
        connect(made, "images", images.slice(first, last));
        connect(made, "output", result.slice(first, last).slice(begin, end, 1).flatten());
        set(made, "imageCount", unsigned(input.dim(0)));
        set(made, "channels", unsigned(end - begin));
        set(made, "rows", unsigned(input.dim(2)));
        set(made, "columns", unsigned(input.dim(3)));
        set(made, "cellRows", unsigned(attributes().height));
        set(made, "cellColumns", unsigned(attributes().width));
        set(made, "scale", attributes().scale);
      }
    });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

// The gradient of the result, the input, rois, images and the result.
Infos inferGradient(const Inputs &in, const Attributes &) { return {in[1]}; }

struct GradientLowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0), input = getInTensor(1), result = getInTensor(4);
    const Tensor sums = variable(poplar::FLOAT, input.shape(), "sums");
    popops::zero(graph(), sums, prog, debugContext("zero"));
    const auto name = poputil::templateVertex("SpreadRegions", input.elementType());
    const auto work = graph().addComputeSet(debugContext("spread"));
    if (gradient.numElements() != 0 && input.numElements() != 0)
      shareAmongWorkers(input.dim(1), 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
        const auto made = vertex("roi_max_pool", work, name, tile);
        connect(made, "gradient", gradient.slice(begin, end, 1).flatten());
        connect(made, "input", input.slice(begin, end, 1).flatten());
        connect(made, "rois", getInTensor(2).flatten());
        connect(made, "images", getInTensor(3));
        connect(made, "output", result.slice(begin, end, 1).flatten());
        connect(made, "sums", sums.slice(begin, end, 1).flatten());
        set(made, "imageCount", unsigned(input.dim(0)));
        set(made, "channels", unsigned(end - begin));
        set(made, "rows", unsigned(input.dim(2)));
        set(made, "columns", unsigned(input.dim(3)));
        set(made, "cellRows", unsigned(attributes().height));
        set(made, "cellColumns", unsigned(attributes().width));
        set(made, "scale", attributes().scale);
      });
    prog.add(Execute(work));
    setOutTensor(0, popops::cast(graph(), sums, input.elementType(), prog,
                                 debugContext("gradient")));
  }
};

} // namespace

ODLA_KERNEL(RoiMaxPool, Attributes, infer, Lowering, 3)
ODLA_GRADIENT(RoiMaxPool, Attributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1), ofInput(2), ofOutput(0)}, {0})
