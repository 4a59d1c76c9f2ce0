// ReverseSequence: vertices find the source of each row, the library moves the rows.
#include "../include/odla_kernel.hpp"

#include <popops/DynamicSlice.hpp>

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
    const Tensor input = getInTensor(0), lengths = getInTensor(1);
    if (input.numElements() == 0)
      return setOutTensor(0, output(0));
    const std::size_t count = input.dim(0) * input.dim(1);
    const Tensor source = variable(poplar::UNSIGNED_INT, {count}, "source");
    const auto find = graph().addComputeSet(debugContext("find"));
    shareAmongWorkers(count, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("reverse_sequence", find, "ReversedRows", tile);
      connect(made, "lengths", lengths);
      connect(made, "source", source.slice(begin, end));
      set(made, "begin", unsigned(begin));
      set(made, "steps", unsigned(input.dim(unsigned(attributes().timeAxis))));
      set(made, "isTimeFirst", attributes().timeAxis == 0);
    });
    prog.add(Execute(find));
    const Tensor rows = input.reshape({count, input.numElements() / count});
    const Tensor moved =
        popops::multiSlice(graph(), rows, source.expand({1}), {0}, {1}, prog, popops::SlicePlan(),
                           poplar::OptionFlags(), debugContext("rows"));
    setOutTensor(0, moved.reshape(input.shape()));
  }
};

} // namespace

ODLA_KERNEL(ReverseSequence, Attributes, infer, Lowering, 2)
// Reversing the gradient puts it where it came from.
ODLA_GRADIENT(ReverseSequence, Attributes, infer, Lowering, {gradientOf(0), ofInput(1)}, {0})
