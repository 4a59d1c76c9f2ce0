// EmbeddingBag: the library fetches the rows, vertices sum them.
#include "../include/odla_kernel.hpp"

#include <popops/Cast.hpp>
#include <popops/DynamicSlice.hpp>
#include <popops/Zero.hpp>

using namespace odla;

namespace {

Infos infer(const Inputs &in, const NoAttributes &) {
  const Shape &table = in[0].shape(), &indices = in[1].shape();
  require(isFloat(in[0]) && table.size() == 2 && table[0] >= 1 &&
              in[1].dataType() == DataType::INT32 && indices.size() == 2,
          "a table FLOAT or FLOAT16 [rows,n] with a row and more, indices INT32 [bag,entry]");
  require(!in.has(2) || in[2] == TensorInfo(in[0].dataType(), indices),
          "weights of the table's type [bag,entry]");
  return {TensorInfo(in[0].dataType(), {indices[0], table[1]})};
}

// What vertices find of the entries of all bags.
struct EntriesOpx : Opx<NoAttributes> {
  using Opx::Opx;

protected:
  // Rows of the table as offsets, and how often each counts; `weights` is the input that has these,
  // where there is one.
  Tensor entries(Sequence &prog, const Tensor &table, const Tensor &indices, int weights,
                 const Tensor &factors) const {
    const auto type = table.elementType();
    const std::size_t count = indices.numElements();
    const Tensor offsets = variable(poplar::UNSIGNED_INT, {count}, "offsets");
    const Tensor given = hasInput(weights)
                             ? getInTensor(weights).flatten()
                             : getConst(type, {1}, 1.0, "one").broadcast(unsigned(count), 0);
    const auto find = graph().addComputeSet(debugContext("find"));
    shareAmongWorkers(count, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("embedding_bag", find, poputil::templateVertex("BagEntries", type),
                               tile);
      connect(made, "indices", indices.slice(begin, end));
      connect(made, "weights", given.slice(begin, end));
      connect(made, "offsets", offsets.slice(begin, end));
      connect(made, "factors", factors.slice(begin, end));
      set(made, "rows", unsigned(table.dim(0)));
    });
    prog.add(Execute(find));
    return offsets.expand({1});
  }
  Tensor rowsAt(Sequence &prog, const Tensor &table, const Tensor &offsets) const {
    return popops::multiSlice(graph(), table, offsets, {0}, {1}, prog, popops::SlicePlan(),
                              poplar::OptionFlags(), debugContext("rows"))
        .flatten();
  }
};

struct Lowering : EntriesOpx {
  using EntriesOpx::EntriesOpx;

  void grow(Sequence &prog) const final {
    const Tensor table = getInTensor(0), indices = getInTensor(1).flatten(), result = output(0);
    const std::size_t bags = result.dim(0), size = result.dim(1), count = indices.numElements();
    if (count == 0 && bags == 0)
      return setOutTensor(0, result);
    const auto type = table.elementType();
    const Tensor factors = variable(poplar::FLOAT, {count}, "factors");
    const Tensor offsets = entries(prog, table, indices, 2, factors);
    const Tensor rows = rowsAt(prog, table, offsets);
    const std::size_t each = bags ? count / bags : 0;
    const auto sum = graph().addComputeSet(debugContext("sum"));
    if (size)
      shareAmongWorkers(bags, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
        const auto made = vertex("embedding_bag", sum, poputil::templateVertex("SumBags", type),
                                 tile);
        connect(made, "rows", rows.slice(begin * each * size, end * each * size));
        connect(made, "factors", factors.slice(begin * each, end * each));
        connect(made, "out", result.slice(begin, end).flatten());
        set(made, "entries", unsigned(each));
        set(made, "size", unsigned(size));
      });
    prog.add(Execute(sum));
    setOutTensor(0, result);
  }
};

// The gradient of the result, the table, indices and weights.
Infos inferGradient(const Inputs &in, const NoAttributes &) {
  return in.has(3) ? Infos{in[1], in[3]} : Infos{in[1]};
}

struct GradientLowering : EntriesOpx {
  using EntriesOpx::EntriesOpx;

  void grow(Sequence &prog) const final {
    const Tensor gradient = getInTensor(0), table = getInTensor(1);
    const Tensor indices = getInTensor(2).flatten();
    const auto type = table.elementType();
    const std::size_t count = indices.numElements(), size = table.dim(1);
    const std::size_t bags = gradient.dim(0), each = bags ? count / bags : 0;
    const Tensor sums = variable(poplar::FLOAT, table.shape(), "sums");
    const Tensor dots = variable(poplar::FLOAT, {count}, "dots");
    popops::zero(graph(), sums, prog, debugContext("zero"));
    popops::zero(graph(), dots, prog, debugContext("zero"));
    if (count != 0 && size != 0) {
      const Tensor factors = variable(poplar::FLOAT, {count}, "factors");
      const Tensor offsets = entries(prog, table, indices, 3, factors);
      const Tensor rows = rowsAt(prog, table, offsets);
      const Tensor slices = variable(poplar::FLOAT, {count, 1, size}, "slices");
      const auto work = graph().addComputeSet(debugContext("gradient"));
      const auto name = poputil::templateVertex("BagGradients", type);
      shareAmongWorkers(bags, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
        const std::size_t first = begin * each, last = end * each;
        const auto made = vertex("embedding_bag", work, name, tile);
        connect(made, "gradient", gradient.slice(begin, end).flatten());
        connect(made, "indices", indices.slice(first, last));
        connect(made, "rows", rows.slice(first * size, last * size));
        connect(made, "factors", factors.slice(first, last));
        connect(made, "slices", slices.slice(first, last).flatten());
        connect(made, "dots", dots.slice(first, last));
        set(made, "entries", unsigned(each));
        set(made, "size", unsigned(size));
        set(made, "tableRows", unsigned(table.dim(0)));
      });
      prog.add(Execute(work));
      popops::multiUpdateAdd(graph(), sums, slices, offsets,
                             getConst(poplar::FLOAT, {}, 1.0, "one"), {0}, {1}, prog,
                             popops::SlicePlan(), poplar::OptionFlags(), debugContext("add"));
    }
    setOutTensor(0, popops::cast(graph(), sums, type, prog, debugContext("table")));
    if (hasInput(3))
      setOutTensor(1, popops::cast(graph(), dots, type, prog, debugContext("weights"))
                          .reshape(getInTensor(3).shape()));
  }
};

} // namespace

ODLA_KERNEL(EmbeddingBag, NoAttributes, infer, Lowering, 2)
ODLA_GRADIENT(EmbeddingBag, NoAttributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1), ofInput(2)}, {0, 2})
