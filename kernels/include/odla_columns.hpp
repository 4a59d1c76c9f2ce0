// Tensors as columns along an axis.
#ifndef odla_columns_hpp
#define odla_columns_hpp

#include "odla_kernel.hpp"

namespace odla {

// The type of unsigned integers as wide as `type`, in which elements are moved.
inline poplar::Type movedAs(const poplar::Graph &graph, const poplar::Type &type) {
  const std::size_t width = graph.getTarget().getTypeSize(type);
  return width == 1 ? poplar::UNSIGNED_CHAR
                    : width == 2 ? poplar::UNSIGNED_SHORT : poplar::UNSIGNED_INT;
}

inline bool isLast(const Tensor &tensor, unsigned axis) { return axis + 1 == tensor.rank(); }

// [column, row] where the axis is the last, else [row, column].
inline Tensor columnsOf(const Tensor &tensor, unsigned axis) {
  const std::size_t rows = tensor.dim(axis), count = rows ? tensor.numElements() / rows : 0;
  return isLast(tensor, axis) ? tensor.reshape({count, rows})
                              : tensor.dimRoll(axis).reshape({rows, count});
}

// Columns begin to end of what columnsOf made.
inline Tensor someColumns(const Tensor &columns, bool isAxisLast, std::size_t begin,
                          std::size_t end) {
  return columns.slice(begin, end, isAxisLast ? 0 : 1).flatten();
}

// `tensor` cut to `dims` off the axis.
inline Tensor cutOffAxis(Tensor tensor, unsigned axis, const std::vector<std::size_t> &dims) {
  for (unsigned d = 0; d != tensor.rank(); ++d)
    if (d != axis)
      tensor = tensor.slice(0, dims[d], d);
  return tensor;
}

// Checks input and indices as ONNX's GatherElements and ScatterElements want them.
inline void requireColumns(const TensorInfo &input, const TensorInfo &indices,
                           std::int64_t axis) {
  const Shape &dims = input.shape(), &wanted = indices.shape();
  bool isRight = indices.dataType() == DataType::INT32 && dims.size() == wanted.size() &&
                 axis >= 0 && axis < std::int64_t(dims.size()) && dims.size() <= 8;
  for (std::size_t d = 0; isRight && d != dims.size(); ++d)
    isRight = std::int64_t(d) == axis || wanted[d] <= dims[d];
  require(isRight, "indices INT32 of the input's rank, 1 to 8, that fit off the axis");
}

} // namespace odla

#endif
