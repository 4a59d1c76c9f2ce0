// Int8Conv: some output channels of one image a vertex.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::vector<std::int64_t> strides, pads, dilations;
  std::int64_t group, inputZero, kernelZero;

  template <class Visitor> void visit(Visitor &&v) {
    v("strides", strides);
    v("pads", pads);
    v("dilations", dilations);
    v("group", group);
    v("input_zero", inputZero);
    v("kernel_zero", kernelZero);
  }
};

bool isByte(const TensorInfo &info) {
  return info.dataType() == DataType::INT8 || info.dataType() == DataType::UINT8;
}

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &x = in[0].shape(), &w = in[1].shape();
  require(a.strides.size() == 2 && a.pads.size() == 4 && a.dilations.size() == 2 && a.group >= 1,
          "2 strides, 4 pads, 2 dilations, a group of 1 and more");
  require(isByte(in[0]) && isByte(in[1]) && x.size() == 4 && w.size() == 4 &&
              x[1] == w[1] * a.group && w[0] % a.group == 0,
          "INT8 or UINT8 [N,C,H,W] and [O,C/group,h,w]");
  Shape shape{x[0], w[0], 0, 0};
  for (std::size_t i = 0; i != 2; ++i) {
    require(a.strides[i] >= 1 && a.dilations[i] >= 1 && a.pads[i] >= 0 && a.pads[i + 2] >= 0,
            "strides and dilations of 1 and more, pads of 0 and more");
    const std::int64_t room =
        x[i + 2] + a.pads[i] + a.pads[i + 2] - a.dilations[i] * (w[i + 2] - 1) - 1;
    require(room >= 0, "a kernel that fits into the padded input");
    shape[i + 2] = room / a.strides[i] + 1;
  }
  return {TensorInfo(DataType::INT32, shape)};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Attributes &a = attributes();
    const Tensor input = getInTensor(0), kernel = getInTensor(1), result = output(0);
    const std::size_t outputs = kernel.dim(0), channels = kernel.dim(1);
    const std::size_t perGroup = outputs / std::size_t(a.group);
    const auto name =
        poputil::templateVertex("ConvolveBytes", input.elementType(), kernel.elementType());
    const auto work = graph().addComputeSet(debugContext("convolve"));
    shareAmongWorkers(input.dim(0) * outputs, 1, [&](unsigned tile, std::size_t from,
                                                     std::size_t to) {
      while (from < to) { // output channels of one image and group at a time
        const std::size_t image = from / outputs, begin = from % outputs;
        const std::size_t group = begin / perGroup;
        const std::size_t end = std::min((group + 1) * perGroup, begin + to - from);
        from += end - begin;
        const Tensor x = input[image].slice(group * channels, (group + 1) * channels);
        const auto made = vertex("int8_conv", work, name, tile);
        connect(made, "input", x.flatten());
        connect(made, "kernel", kernel.slice(begin, end).flatten());
        connect(made, "out", result[image].slice(begin, end).flatten());
        set(made, "channels", unsigned(channels));
        set(made, "inRows", unsigned(input.dim(2)));
        set(made, "inColumns", unsigned(input.dim(3)));
        set(made, "outRows", unsigned(result.dim(2)));
        set(made, "outColumns", unsigned(result.dim(3)));
        set(made, "kernelRows", unsigned(kernel.dim(2)));
        set(made, "kernelColumns", unsigned(kernel.dim(3)));
        set(made, "strideRows", int(a.strides[0]));
        set(made, "strideColumns", int(a.strides[1]));
        set(made, "padTop", int(a.pads[0]));
        set(made, "padLeft", int(a.pads[1]));
        set(made, "dilationRows", int(a.dilations[0]));
        set(made, "dilationColumns", int(a.dilations[1]));
        set(made, "inputZero", int(a.inputZero));
        set(made, "kernelZero", int(a.kernelZero));
      }
    });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(Int8Conv, Attributes, infer, Lowering, 2)
