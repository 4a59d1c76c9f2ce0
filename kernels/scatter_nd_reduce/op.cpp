// ScatterNDReduce: vertices find the rows; floats are put and added by the library, the rest by vertices
// that own columns or, where they are few, rows.
#include "../include/odla_kernel.hpp"

#include <popops/DynamicSlice.hpp>

using namespace odla;

namespace {

struct Attributes {
  std::int64_t reduction;

  template <class Visitor> void visit(Visitor &&v) { v("reduction", reduction); }
};

constexpr std::int64_t replace = 0, add = 1;
constexpr std::size_t rowBytes = 65536; // of one vertex, where rows are shared

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &dims = in[0].shape(), &tuples = in[1].shape();
  require(in[1].dataType() == DataType::INT32 && !tuples.empty() && tuples.back() >= 1 &&
              tuples.back() <= std::int64_t(dims.size()),
          "indices INT32, tuples of 1 to as many numbers as the input has axes");
  Shape shape(tuples.begin(), tuples.end() - 1);
  shape.insert(shape.end(), dims.begin() + tuples.back(), dims.end());
  require(in[2] == TensorInfo(in[0].dataType(), shape),
          "updates of the input's type, a slice for each tuple");
  require(a.reduction >= 0 && a.reduction <= 4, "a reduction of 0 to 4");
  return {in[0]};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor indices = getInTensor(1), updates = getInTensor(2);
    const Tensor result = cloneNcopy(prog, getInTensor(0));
    const std::size_t length = indices.dim(indices.rank() - 1);
    const std::size_t count = indices.numElements() / length;
    std::size_t rows = 1;
    std::vector<int> dims;
    for (unsigned d = 0; d != length; ++d) {
      dims.push_back(int(result.dim(d)));
      rows *= result.dim(d);
    }
    if (updates.numElements() == 0 || result.numElements() == 0)
      return setOutTensor(0, result);
    const std::size_t columns = result.numElements() / rows;
    const Tensor target = variable(poplar::UNSIGNED_INT, {count}, "target");
    const auto find = graph().addComputeSet(debugContext("find"));
    shareAmongWorkers(count, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("scatter_nd_reduce", find, "UpdatedRows", tile);
      connect(made, "indices", indices.flatten().slice(begin * length, end * length));
      connect(made, "target", target.slice(begin, end));
      graph().setInitialValue(made["dims"], poplar::ArrayRef<int>(dims));
    });
    prog.add(Execute(find));
    join(prog, result.reshape({rows, columns}), target, updates.reshape({count, columns}));
    setOutTensor(0, result);
  }

private:
  void join(Sequence &prog, const Tensor &result, const Tensor &target,
            const Tensor &updates) const {
    const auto type = result.elementType();
    const bool isReal = type == poplar::FLOAT || type == poplar::HALF;
    const Tensor offsets = target.expand({1}), slices = updates.expand({1});
    const poplar::OptionFlags options;
    if (isReal && attributes().reduction == replace)
      return popops::multiUpdate(graph(), result, slices, offsets, {0}, {1}, prog,
                                 popops::SlicePlan(), options, debugContext("put"));
    if (type == poplar::FLOAT && attributes().reduction == add) {
      const Tensor one = getConst(type, {}, 1.0, "one");
      return popops::multiUpdateAdd(graph(), result, slices, offsets, one, {0}, {1}, prog,
                                    popops::SlicePlan(), options, debugContext("add"));
    }
    const auto work = graph().addComputeSet(debugContext("join"));
    const auto put = [&](unsigned tile, const Tensor &to, const Tensor &from, std::size_t first) {
      const auto made = vertex("scatter_nd_reduce", work, poputil::templateVertex("JoinRows", type), tile);
      connect(made, "output", to.flatten());
      connect(made, "target", target);
      connect(made, "updates", from.flatten());
      set(made, "first", unsigned(first));
      set(made, "columns", unsigned(to.dim(1)));
      set(made, "reduction", int(attributes().reduction));
    };
    if (result.dim(1) >= 64)
      shareAmongWorkers(result.dim(1), 64, [&](unsigned tile, std::size_t begin, std::size_t end) {
        put(tile, result.slice(begin, end, 1), updates.slice(begin, end, 1), 0);
      });
    else
      share(result.dim(0), std::max<std::size_t>(rowBytes / (result.dim(1) * 4), 1),
            [&](unsigned tile, std::size_t begin, std::size_t end) {
              put(tile, result.slice(begin, end), updates, begin);
            });
    prog.add(Execute(work));
  }
};

} // namespace

ODLA_KERNEL(ScatterNDReduce, Attributes, infer, Lowering, 3)
