// GatherND: vertices find the rows, the library moves them.
#include "../include/odla_kernel.hpp"

#include <popops/DynamicSlice.hpp>

using namespace odla;

namespace {

struct Attributes {
  std::int64_t batchDims;

  template <class Visitor> void visit(Visitor &&v) { v("batch_dims", batchDims); }
};

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &dims = in[0].shape(), &tuples = in[1].shape();
  require(in[1].dataType() == DataType::INT32 && !tuples.empty() && a.batchDims >= 0 &&
              a.batchDims < std::int64_t(tuples.size()) && tuples.back() >= 1 &&
              tuples.back() + a.batchDims <= std::int64_t(dims.size()),
          "indices INT32, tuples of 1 to as many numbers as the input has axes behind batch_dims");
  for (std::int64_t d = 0; d != a.batchDims; ++d)
    require(dims[std::size_t(d)] == tuples[std::size_t(d)], "equal sizes in batch_dims");
  Shape shape(tuples.begin(), tuples.end() - 1);
  shape.insert(shape.end(), dims.begin() + a.batchDims + tuples.back(), dims.end());
  return {TensorInfo(in[0].dataType(), shape)};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor input = getInTensor(0), indices = getInTensor(1);
    const std::vector<std::size_t> shape = outDims(0);
    const std::size_t batchDims = std::size_t(attributes().batchDims);
    const std::size_t length = indices.dim(indices.rank() - 1);
    const std::size_t count = indices.numElements() / length;
    std::size_t batches = 1, rows = 1;
    std::vector<int> dims;
    for (unsigned d = 0; d != batchDims + length; ++d)
      (d < batchDims ? batches : rows) *= input.dim(d);
    for (unsigned d = 0; d != length; ++d)
      dims.push_back(int(input.dim(unsigned(batchDims) + d)));
    if (count == 0 || input.numElements() == 0)
      return setOutTensor(0, output(0));
    const Tensor source = variable(poplar::UNSIGNED_INT, {count}, "source");
    const auto find = graph().addComputeSet(debugContext("find"));
    shareAmongWorkers(count, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("gather_nd", find, "TupleRows", tile);
      connect(made, "indices", indices.flatten().slice(begin * length, end * length));
      connect(made, "source", source.slice(begin, end));
      graph().setInitialValue(made["dims"], poplar::ArrayRef<int>(dims));
      set(made, "begin", unsigned(begin));
      set(made, "tuples", unsigned(count / batches));
      set(made, "rows", unsigned(rows));
    });
    prog.add(Execute(find));
    const Tensor table =
        input.reshape({batches * rows, input.numElements() / (batches * rows)});
    const Tensor moved =
        popops::multiSlice(graph(), table, source.expand({1}), {0}, {1}, prog,
                           popops::SlicePlan(), poplar::OptionFlags(), debugContext("rows"));
    setOutTensor(0, moved.reshape(shape));
  }
};

} // namespace

ODLA_KERNEL(GatherND, Attributes, infer, Lowering, 2)
