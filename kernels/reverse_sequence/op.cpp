// ReverseSequence: some sequences, or a part of each step of one, to a vertex.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t batchAxis, timeAxis;

  template <class Visitor> void visit(Visitor &&v) {
    v("batch_axis", batchAxis);
    v("time_axis", timeAxis);
  }
};

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &dims = in[0].shape();
  require((a.batchAxis == 0 && a.timeAxis == 1) || (a.batchAxis == 1 && a.timeAxis == 0),
          "batch_axis and time_axis 0 and 1, in any order");
  require(dims.size() >= 2 && in[1].dataType() == DataType::INT32 &&
              in[1].shape() == Shape{dims[std::size_t(a.batchAxis)]},
          "an input of rank 2 and more, lengths INT32 [sequences]");
  return {in[0]};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor input = getInTensor(0), lengths = getInTensor(1), result = output(0);
    if (input.numElements() == 0)
      return setOutTensor(0, result);
    const std::size_t width = graph().getTarget().getTypeSize(input.elementType());
    const poplar::Type type = width == 1   ? poplar::UNSIGNED_CHAR
                              : width == 2 ? poplar::UNSIGNED_SHORT
                                           : poplar::UNSIGNED_INT;
    const Tensor in = timeFirst(input.reinterpret(type)), out = timeFirst(result.reinterpret(type));
    const std::size_t steps = in.dim(0), batch = in.dim(1), size = in.dim(2);
    const auto name = poputil::templateVertex("ReverseSteps", type);
    const auto work = graph().addComputeSet(debugContext("reverse"));
    const auto add = [&](unsigned tile, const Tensor &from, const Tensor &lengthsOf,
                         const Tensor &to) {
      const auto made = vertex("reverse_sequence", work, name, tile);
      connect(made, "in", from.flatten());
      connect(made, "lengths", lengthsOf);
      connect(made, "out", to.flatten());
      set(made, "steps", unsigned(steps));
      set(made, "size", unsigned(from.dim(2)));
    };
    if (batch >= size / 8) {
      shareAmongWorkers(batch, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
        add(tile, in.slice(begin, end, 1), lengths.slice(begin, end), out.slice(begin, end, 1));
      });
    } else {
      shareAmongWorkers(size, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
        add(tile, in.slice(begin, end, 2), lengths, out.slice(begin, end, 2));
      });
    }
    prog.add(Execute(work));
    setOutTensor(0, result);
  }

private:
  // [step, sequence, the rest]
  Tensor timeFirst(const Tensor &tensor) const {
    const Tensor flat = tensor.reshape({tensor.dim(0), tensor.dim(1),
                                        tensor.numElements() / (tensor.dim(0) * tensor.dim(1))});
    return attributes().timeAxis == 0 ? flat : flat.dimShuffle({1, 0, 2});
  }
};

} // namespace

ODLA_KERNEL(ReverseSequence, Attributes, infer, Lowering, 2)
