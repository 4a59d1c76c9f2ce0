// RandomUniform: all tiles, each for its own counters.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::vector<std::int64_t> dims;
  float low, high;
  std::int64_t isHalf;

  template <class Visitor> void visit(Visitor &&v) {
    v("dims", dims);
    v("low", low);
    v("high", high);
    v("half", isHalf);
  }
};

Infos infer(const Inputs &in, const Attributes &a) {
  require(in[0] == TensorInfo(DataType::UINT32, {2}), "a seed UINT32 [2]");
  for (std::int64_t size : a.dims)
    require(size >= 0, "dims of 0 and more");
  return {TensorInfo(a.isHalf ? DataType::FLOAT16 : DataType::FLOAT, a.dims)};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const auto name =
        poputil::templateVertex("UniformNumbers", popart::popx::popType(outInfo(0)));
    growElements(prog, "random_uniform", name, [&](auto made, std::size_t begin, std::size_t) {
      connect(made, "seed", getInTensor(0));
      set(made, "first", unsigned(begin / 4));
      set(made, "low", attributes().low);
      set(made, "high", attributes().high);
    });
  }
};

} // namespace

ODLA_KERNEL(RandomUniform, Attributes, infer, Lowering, 1)
