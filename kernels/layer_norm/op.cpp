// LayerNorm: some rows a vertex.
#include "../include/odla_kernel.hpp"

#include <popops/Cast.hpp>

using namespace odla;

namespace {

struct Attributes {
  float epsilon;

  template <class Visitor> void visit(Visitor &&v) { v("epsilon", epsilon); }
};

Infos infer(const Inputs &in, const Attributes &) {
  require(isFloat(in[0]) && in[0].rank() >= 1, "x FLOAT or FLOAT16");
  const TensorInfo row(in[0].dataType(), {in[0].shape().back()});
  require(in[1] == row && in[2] == row,
          "scale and bias of the type of x, as long as its last axis");
  return {in[0]};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor in = getInTensor(0).flatten(), result = output(0), out = result.flatten();
    const std::size_t size = getInTensor(1).numElements();
    if (size == 0)
      return setOutTensor(0, result);
    const auto name = poputil::templateVertex("NormaliseRows", in.elementType());
    const auto work = graph().addComputeSet(debugContext("normalise"));
    shareAmongWorkers(in.numElements() / size, 1,
                      [&](unsigned tile, std::size_t begin, std::size_t end) {
                        const auto made = vertex("layer_norm", work, name, tile);
                        connect(made, "in", in.slice(begin * size, end * size));
                        connect(made, "scale", getInTensor(1));
                        connect(made, "bias", getInTensor(2));
                        connect(made, "out", out.slice(begin * size, end * size));
                        set(made, "epsilon", attributes().epsilon);
                      });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

// The gradient of the result, x and scale give the gradients of x, scale and bias.
Infos inferGradient(const Inputs &in, const Attributes &) { return {in[1], in[2], in[2]}; }

struct GradientLowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0).flatten(), in = getInTensor(1).flatten();
    const Tensor result = output(0), out = result.flatten(), scale = getInTensor(2);
    const std::size_t size = scale.numElements();
    const Tensor products = variable(poplar::FLOAT, {in.numElements()}, "products");
    if (size != 0) {
      const auto name = poputil::templateVertex("NormaliseRowsGrad", in.elementType());
      const auto work = graph().addComputeSet(debugContext("gradient"));
      shareAmongWorkers(in.numElements() / size, 1,
                        [&](unsigned tile, std::size_t begin, std::size_t end) {
                          const auto made = vertex("layer_norm", work, name, tile);
                          connect(made, "gradient", gradient.slice(begin * size, end * size));
                          connect(made, "in", in.slice(begin * size, end * size));
                          connect(made, "scale", scale);
                          connect(made, "out", out.slice(begin * size, end * size));
                          connect(made, "ofScale", products.slice(begin * size, end * size));
                          set(made, "epsilon", attributes().epsilon);
                        });
      prog.add(Execute(work));
    }
    setOutTensor(0, result);
    setOutTensor(1, popops::cast(graph(), sumOfRows(prog, products, size), scale.elementType(),
                                 prog, debugContext("scale")));
    setOutTensor(2, sumOfRows(prog, gradient, size));
  }
};

} // namespace

ODLA_KERNEL(LayerNorm, Attributes, infer, Lowering, 3)
ODLA_GRADIENT(LayerNorm, Attributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1)}, {0, 1, 2})
