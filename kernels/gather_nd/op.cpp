// GatherND: vertices find the rows, the library moves them.
#include "../include/odla_kernel.hpp"

#include <popops/Cast.hpp>
#include <popops/DynamicSlice.hpp>
#include <popops/Zero.hpp>

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

struct RowsOpx : Opx<Attributes> {
  using Opx::Opx;

protected:
  // The table's rows that tuples name; `rows` of all batches together.
  Tensor sources(Sequence &prog, const Tensor &input, const Tensor &indices,
                 std::size_t &rows) const {
    const std::size_t batchDims = std::size_t(attributes().batchDims);
    const std::size_t length = indices.dim(indices.rank() - 1);
    const std::size_t count = indices.numElements() / length;
    std::size_t batches = 1, each = 1;
    std::vector<int> dims;
    for (unsigned d = 0; d != batchDims + length; ++d)
      (d < batchDims ? batches : each) *= input.dim(d);
    for (unsigned d = 0; d != length; ++d)
      dims.push_back(int(input.dim(unsigned(batchDims) + d)));
    const Tensor source = variable(poplar::UNSIGNED_INT, {count}, "source");
    const auto find = graph().addComputeSet(debugContext("find"));
    shareAmongWorkers(count, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("gather_nd", find, "TupleRows", tile);
      connect(made, "indices", indices.flatten().slice(begin * length, end * length));
      connect(made, "source", source.slice(begin, end));
      graph().setInitialValue(made["dims"], poplar::ArrayRef<int>(dims));
      set(made, "begin", unsigned(begin));
      set(made, "tuples", unsigned(count / batches));
      set(made, "rows", unsigned(each));
    });
    prog.add(Execute(find));
    rows = batches * each;
    return source.expand({1});
  }
};

struct Lowering : RowsOpx {
  using RowsOpx::RowsOpx;

  void grow(Sequence &prog) const final {
    const Tensor input = getInTensor(0), indices = getInTensor(1);
    if (indices.numElements() == 0 || input.numElements() == 0)
      return setOutTensor(0, output(0));
    std::size_t rows = 0;
    const Tensor source = sources(prog, input, indices, rows);
    const Tensor table = input.reshape({rows, input.numElements() / rows});
    const Tensor moved =
        popops::multiSlice(graph(), table, source, {0}, {1}, prog, popops::SlicePlan(),
                           poplar::OptionFlags(), debugContext("rows"));
    setOutTensor(0, moved.reshape(outDims(0)));
  }
};

// The gradient of the result, the input and indices: rows are added to where they come from.
Infos inferGradient(const Inputs &in, const Attributes &) {
  require(isFloat(in[1]), "FLOAT and FLOAT16");
  return {in[1]};
}

struct GradientLowering : RowsOpx {
  using RowsOpx::RowsOpx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0), input = getInTensor(1), indices = getInTensor(2);
    const Tensor sums = variable(poplar::FLOAT, input.shape(), "sums");
    popops::zero(graph(), sums, prog, debugContext("zero"));
    if (gradient.numElements() != 0 && input.numElements() != 0) {
      std::size_t rows = 0;
      const Tensor source = sources(prog, input, indices, rows);
      const std::size_t columns = input.numElements() / rows;
      const Tensor slices = popops::cast(graph(), gradient, poplar::FLOAT, prog, debugContext("wide"))
                                .reshape({source.dim(0), 1, columns});
      const Tensor one = getConst(poplar::FLOAT, {}, 1.0, "one");
      popops::multiUpdateAdd(graph(), sums.reshape({rows, columns}), slices, source, one, {0}, {1},
                             prog, popops::SlicePlan(), poplar::OptionFlags(),
                             debugContext("add"));
    }
    setOutTensor(0, popops::cast(graph(), sums, gradient.elementType(), prog,
                                 debugContext("gradient")));
  }
};

} // namespace

ODLA_KERNEL(GatherND, Attributes, infer, Lowering, 2)
ODLA_GRADIENT(GatherND, Attributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1)}, {0})
