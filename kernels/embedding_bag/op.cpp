// EmbeddingBag: the library fetches the rows, vertices sum them.
#include "../include/odla_kernel.hpp"

#include <popops/DynamicSlice.hpp>

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

struct Lowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor table = getInTensor(0), indices = getInTensor(1).flatten(), result = output(0);
    const std::size_t bags = result.dim(0), size = result.dim(1), count = indices.numElements();
    if (count == 0 && bags == 0)
      return setOutTensor(0, result);
    const auto type = table.elementType();
    const Tensor offsets = variable(poplar::UNSIGNED_INT, {count}, "offsets");
    const Tensor factors = variable(poplar::FLOAT, {count}, "factors");
    const Tensor weights =
        hasInput(2) ? getInTensor(2).flatten()
                    : getConst(type, {1}, 1.0, "one").broadcast(unsigned(count), 0);
    const auto find = graph().addComputeSet(debugContext("find"));
    shareAmongWorkers(count, 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("embedding_bag", find, poputil::templateVertex("BagEntries", type),
                               tile);
      connect(made, "indices", indices.slice(begin, end));
      connect(made, "weights", weights.slice(begin, end));
      connect(made, "offsets", offsets.slice(begin, end));
      connect(made, "factors", factors.slice(begin, end));
      set(made, "rows", unsigned(table.dim(0)));
    });
    prog.add(Execute(find));
    const Tensor rows =
        popops::multiSlice(graph(), table, offsets.expand({1}), {0}, {1}, prog,
                           popops::SlicePlan(), poplar::OptionFlags(), debugContext("rows"))
            .flatten();
    const std::size_t entries = bags ? count / bags : 0;
    const auto sum = graph().addComputeSet(debugContext("sum"));
    if (size)
      shareAmongWorkers(bags, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
        const auto made = vertex("embedding_bag", sum, poputil::templateVertex("SumBags", type),
                                 tile);
        connect(made, "rows", rows.slice(begin * entries * size, end * entries * size));
        connect(made, "factors", factors.slice(begin * entries, end * entries));
        connect(made, "out", result.slice(begin, end).flatten());
        set(made, "entries", unsigned(entries));
        set(made, "size", unsigned(size));
      });
    prog.add(Execute(sum));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(EmbeddingBag, NoAttributes, infer, Lowering, 2)
