// Compress: the places are found by one vertex, the entries are moved by all tiles.
#include "../include/odla_kernel.hpp"

#include <popops/DynamicSlice.hpp>

using namespace odla;

namespace {

struct Attributes {
  std::int64_t axis;

  template <class Visitor> void visit(Visitor &&v) { v("axis", axis); }
};

Infos infer(const Inputs &in, const Attributes &a) {
  const Shape &condition = in[1].shape();
  Shape dims = in[0].shape();
  require(a.axis >= 0 && a.axis < std::int64_t(dims.size()) && condition.size() == 1 &&
              in[1].dataType() == DataType::BOOL,
          "an axis of the input from 0 on and a condition BOOL [n]");
  std::int64_t &size = dims[std::size_t(a.axis)];
  size = std::min(size, condition[0]);
  return {TensorInfo(in[0].dataType(), dims), TensorInfo(DataType::INT32, {1})};
}

// [before the axis, axis, after it]
Tensor matrix(const Tensor &tensor, unsigned axis) {
  std::size_t before = 1, after = 1;
  for (unsigned d = 0; d != tensor.rank(); ++d)
    (d < axis ? before : after) *= d == axis ? 1 : tensor.dim(d);
  return tensor.reshape({before, tensor.dim(axis), after});
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const unsigned axis = unsigned(attributes().axis);
    const Tensor count = output(1);
    const std::vector<std::size_t> shape = outDims(0);
    const std::size_t kept = shape[axis];
    const Tensor condition = getInTensor(1).slice(0, kept);
    const Tensor source = variable(poplar::UNSIGNED_INT, {kept}, "source");
    const auto find = graph().addComputeSet(debugContext("find"));
    const auto finder = vertex("compress", find, "CompressedPlaces", 0);
    connect(finder, "condition", condition);
    connect(finder, "source", source);
    connect(finder, "count", count[0]);
    prog.add(Execute(find));
    // Elements are moved as integers of their width.
    const std::size_t width = graph().getTarget().getTypeSize(getInTensor(0).elementType());
    const poplar::Type type = width == 1   ? poplar::UNSIGNED_CHAR
                              : width == 2 ? poplar::UNSIGNED_SHORT
                                           : poplar::UNSIGNED_INT;
    const Tensor from = matrix(getInTensor(0), axis);
    const Tensor result = from.dim(0) == 1
                              ? moveRows(prog, type, from[0], source, count)
                              : moveBlocks(prog, type, from, source, count);
    setOutTensor(0, result.reshape(shape));
    setOutTensor(1, count);
  }

private:
  // Rows of a matrix, by their indices.
  Tensor moveRows(Sequence &prog, const poplar::Type &type, const Tensor &from,
                  const Tensor &source, const Tensor &count) const {
    const Tensor rows =
        popops::multiSlice(graph(), from, source.expand({1}), {0}, {1}, prog,
                           popops::SlicePlan(), poplar::OptionFlags(), debugContext("rows"));
    const auto clear = graph().addComputeSet(debugContext("clear"));
    const Tensor flat = rows.flatten().reinterpret(type);
    share(flat.numElements(), 8, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const auto made = vertex("compress", clear, poputil::templateVertex("ClearRest", type), tile);
      connect(made, "count", count[0]);
      connect(made, "part", flat.slice(begin, end));
      set(made, "begin", unsigned(begin));
      set(made, "size", unsigned(from.dim(1)));
    });
    prog.add(Execute(clear));
    return rows;
  }

  // The same entries of many blocks, of which each tile has some.
  Tensor moveBlocks(Sequence &prog, const poplar::Type &type, const Tensor &from,
                    const Tensor &source, const Tensor &count) const {
    const Tensor result = output(0);
    const Tensor to = result.reshape({from.dim(0), source.numElements(), from.dim(2)});
    const auto move = graph().addComputeSet(debugContext("move"));
    const auto name = poputil::templateVertex("CompressBlocks", type);
    shareAmongWorkers(from.dim(0), 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
      const Tensor part = to.slice(begin, end).reinterpret(type);
      if (part.numElements() == 0)
        return;
      const auto made = vertex("compress", move, name, tile);
      connect(made, "input", from.slice(begin, end).reinterpret(type).flatten());
      connect(made, "source", source);
      connect(made, "count", count[0]);
      connect(made, "output", part.flatten());
      set(made, "blocks", unsigned(end - begin));
      set(made, "entries", unsigned(from.dim(1)));
      set(made, "size", unsigned(to.dim(2)));
    });
    prog.add(Execute(move));
    return result;
  }

};

// The gradient of the result, the input and the condition.
Infos inferGradient(const Inputs &in, const Attributes &) {
  require(isFloat(in[1]), "FLOAT and FLOAT16");
  return {in[1]};
}

struct GradientLowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const unsigned axis = unsigned(attributes().axis);
    const Tensor result = output(0), condition = getInTensor(2);
    const Tensor from = matrix(getInTensor(0), axis), to = matrix(result, axis);
    const auto name = poputil::templateVertex("SpreadBlocks", result.elementType());
    const auto work = graph().addComputeSet(debugContext("spread"));
    // Blocks where there are some, else columns of the one.
    const unsigned shared = to.dim(0) > 1 ? 0 : 2;
    if (result.numElements() != 0)
      shareAmongWorkers(to.dim(shared), shared == 0 ? 1 : 32,
                        [&](unsigned tile, std::size_t begin, std::size_t end) {
                          const Tensor part = to.slice(begin, end, shared);
                          const auto made = vertex("compress", work, name, tile);
                          connect(made, "gradient", from.slice(begin, end, shared).flatten());
                          connect(made, "condition", condition);
                          connect(made, "out", part.flatten());
                          set(made, "blocks", unsigned(part.dim(0)));
                          set(made, "kept", unsigned(from.dim(1)));
                          set(made, "entries", unsigned(to.dim(1)));
                          set(made, "size", unsigned(part.dim(2)));
                        });
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(Compress, Attributes, infer, Lowering, 2)
ODLA_GRADIENT(Compress, Attributes, inferGradient, GradientLowering,
              {gradientOf(0), ofInput(0), ofInput(1)}, {0})
