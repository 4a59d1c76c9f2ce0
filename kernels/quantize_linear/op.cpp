// QuantizeLinear: elementwise, with all scales on each tile.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t axis;

  template <class Visitor> void visit(Visitor &&v) { v("axis", axis); }
};

bool isByte(const TensorInfo &info) {
  return info.dataType() == DataType::INT8 || info.dataType() == DataType::UINT8;
}

Infos infer(const Inputs &in, const Attributes &a) {
  require(isFloat(in[0]) && in[1].dataType() == DataType::FLOAT && isByte(in[2]),
          "x FLOAT or FLOAT16, scale FLOAT, zero_point INT8 or UINT8");
  const Shape &dims = in[0].shape(), &sizes = in[1].shape();
  const bool isOne = sizes == Shape{1};
  const bool isAxis = a.axis >= 0 && a.axis < std::int64_t(dims.size()) &&
                      sizes == Shape{dims[std::size_t(a.axis)]};
  require((isOne || isAxis) && in[2].shape() == sizes,
          "scale and zero_point of one entry, or one for each of the axis");
  return {TensorInfo(in[2].dataType(), dims)};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor in = getInTensor(0).flatten(), scale = getInTensor(1);
    std::size_t inner = 1; // elements in a row that share an entry
    for (unsigned d = unsigned(attributes().axis) + 1; d < getInTensor(0).rank(); ++d)
      inner *= getInTensor(0).dim(d);
    if (scale.numElements() == 1)
      inner = in.numElements();
    const auto name = poputil::templateVertex("QuantizeElements", in.elementType(),
                                popart::popx::popType(outInfo(0)));
    growElements(prog, "quantize_linear", name, [&](auto made, std::size_t begin, std::size_t end) {
      connect(made, "in", in.slice(begin, end));
      connect(made, "scale", scale);
      connect(made, "zeroPoint", getInTensor(2));
      set(made, "first", unsigned(begin));
      set(made, "inner", unsigned(inner));
    });
  }
};

} // namespace

ODLA_KERNEL(QuantizeLinear, Attributes, infer, Lowering, 3)
