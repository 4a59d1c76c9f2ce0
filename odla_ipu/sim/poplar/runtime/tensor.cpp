#include "core.hpp"

#include <algorithm>
#include <numeric>
#include <ostream>

namespace poplar {
namespace core {

void Table::append(const Run &run) {
  if (run.size == 0)
    return;
  if (!runs.empty() && runs.back().variable == run.variable &&
      runs.back().begin + runs.back().size == run.begin) {
    runs.back().size += run.size;
  } else {
    runs.push_back(run);
    starts.push_back(size);
  }
  size += run.size;
}

std::size_t Table::find(std::size_t position) const {
  return std::size_t(std::upper_bound(starts.begin(), starts.end(), position) - starts.begin()) - 1;
}

std::shared_ptr<const View> wholeView(Graph *graph, Code code, std::shared_ptr<const Table> table,
                                      const Dims &dims) {
  auto view = std::make_shared<View>();
  view->graph = graph;
  view->code = code;
  view->table = std::move(table);
  view->offset = 0;
  view->dims = dims;
  view->strides.resize(dims.size());
  std::ptrdiff_t stride = 1;
  for (std::size_t d = dims.size(); d-- > 0;) {
    view->strides[d] = stride;
    stride *= std::ptrdiff_t(dims[d]);
  }
  return view;
}

namespace {

// Calls `emit(position, size)` for stretches of consecutive table positions, in order.
template <class Emit> void stretches(const View &view, Emit emit) {
  if (view.elements() == 0)
    return;
  // Dimensions that continue each other count as one.
  std::vector<std::size_t> dims;
  std::vector<std::ptrdiff_t> strides;
  for (std::size_t d = 0; d != view.dims.size(); ++d) {
    if (view.dims[d] == 1)
      continue;
    if (!dims.empty() && strides.back() == view.strides[d] * std::ptrdiff_t(view.dims[d])) {
      dims.back() *= view.dims[d];
      strides.back() = view.strides[d];
    } else {
      dims.push_back(view.dims[d]);
      strides.push_back(view.strides[d]);
    }
  }
  std::size_t inner = 1;
  if (!dims.empty() && strides.back() == 1) {
    inner = dims.back();
    dims.pop_back();
    strides.pop_back();
  }
  std::vector<std::size_t> index(dims.size(), 0);
  std::ptrdiff_t position = std::ptrdiff_t(view.offset);
  while (true) {
    emit(std::size_t(position), inner);
    std::size_t d = dims.size();
    while (d > 0) {
      --d;
      position += strides[d];
      if (++index[d] != dims[d])
        break;
      position -= strides[d] * std::ptrdiff_t(dims[d]);
      index[d] = 0;
      if (d == 0)
        return;
    }
    if (dims.empty())
      return;
  }
}

void appendRuns(const Table &table, std::size_t position, std::size_t size, Table &result) {
  for (std::size_t r = table.find(position); size != 0; ++r) {
    const Run &run = table.runs[r];
    const std::size_t skipped = position - table.starts[r];
    const std::size_t taken = std::min(size, run.size - skipped);
    result.append({run.variable, run.begin + skipped, taken});
    position += taken;
    size -= taken;
  }
}

Table tableOf(const View &view) {
  Table result;
  stretches(view, [&](std::size_t position, std::size_t size) {
    appendRuns(*view.table, position, size, result);
  });
  return result;
}

[[noreturn]] void fail(const View &view, const std::string &what) {
  throw poplar_error(text(what, " of a tensor of shape ", toString(view.dims)));
}

void checkDim(const View &view, const char *what, std::size_t dim) {
  if (dim >= view.dims.size())
    fail(view, text(what, ": there is no dimension ", dim));
}

Tensor make(View &&view) { return Tensor(std::make_shared<const View>(std::move(view))); }

} // namespace

std::vector<Run> runsOf(const View &view) { return tableOf(view).runs; }

} // namespace core

using core::fail;
using core::make;
using core::text;
using core::View;

const View &Tensor::view() const {
  if (!view_)
    throw poplar_error("a tensor is used that refers to nothing");
  return *view_;
}

Type Tensor::elementType() const { return Type(view().code); }
std::vector<std::size_t> Tensor::shape() const { return view().dims; }
unsigned Tensor::rank() const { return unsigned(view().dims.size()); }
std::size_t Tensor::numElements() const { return view().elements(); }
std::string Tensor::shapeToString() const { return core::toString(view().dims); }

std::size_t Tensor::dim(unsigned index) const {
  core::checkDim(view(), "dim", index);
  return view().dims[index];
}

Tensor Tensor::operator[](std::size_t index) const {
  View result = view();
  core::checkDim(result, "operator[]", 0);
  if (index >= result.dims[0])
    fail(result, text("index ", index));
  result.offset += std::size_t(std::ptrdiff_t(index) * result.strides[0]);
  result.dims.erase(result.dims.begin());
  result.strides.erase(result.strides.begin());
  return make(std::move(result));
}

Tensor Tensor::index(ArrayRef<std::size_t> indices) const {
  Tensor result = *this;
  for (std::size_t i : indices)
    result = result[i];
  return result;
}

Tensor Tensor::slice(std::size_t begin, std::size_t end, unsigned dimension) const {
  View result = view();
  core::checkDim(result, "slice", dimension);
  if (begin > end || end > result.dims[dimension])
    fail(result, text("slice(", begin, ", ", end, ", ", dimension, ")"));
  result.offset += std::size_t(std::ptrdiff_t(begin) * result.strides[dimension]);
  result.dims[dimension] = end - begin;
  return make(std::move(result));
}

Tensor Tensor::slice(const Interval &region, unsigned dimension) const {
  return slice(region.begin(), region.end(), dimension);
}

Tensor Tensor::slice(ArrayRef<std::size_t> begin, ArrayRef<std::size_t> end) const {
  if (begin.size() != end.size() || begin.size() > rank())
    fail(view(), text("slice by ", begin.size(), " begins and ", end.size(), " ends"));
  Tensor result = *this;
  for (std::size_t d = 0; d != begin.size(); ++d)
    result = result.slice(begin[d], end[d], unsigned(d));
  return result;
}

std::vector<Tensor> Tensor::slices(ArrayRef<Interval> intervals, unsigned dimension) const {
  std::vector<Tensor> result;
  for (const Interval &interval : intervals)
    result.push_back(slice(interval, dimension));
  return result;
}

Tensor Tensor::flatten() const { return reshape({numElements()}); }

Tensor Tensor::flatten(unsigned dimBegin, unsigned dimEnd) const {
  if (dimBegin > dimEnd || dimEnd > rank())
    fail(view(), text("flatten(", dimBegin, ", ", dimEnd, ")"));
  core::Dims dims = shape();
  std::size_t size = 1;
  for (unsigned d = dimBegin; d != dimEnd; ++d)
    size *= dims[d];
  dims.erase(dims.begin() + dimBegin, dims.begin() + dimEnd);
  dims.insert(dims.begin() + dimBegin, size);
  return reshape(dims);
}

Tensor Tensor::reshape(ArrayRef<std::size_t> shape) const {
  const View &from = view();
  const core::Dims dims(shape.begin(), shape.end());
  if (core::product(dims) != from.elements())
    fail(from, text("reshape(", core::toString(dims), ")"));
  // Dimensions that continue each other, as one; each must be cut into whole new dimensions.
  core::Dims sizes;
  std::vector<std::ptrdiff_t> steps;
  for (std::size_t d = 0; d != from.dims.size(); ++d) {
    if (from.dims[d] == 1)
      continue;
    if (!sizes.empty() && steps.back() == from.strides[d] * std::ptrdiff_t(from.dims[d])) {
      sizes.back() *= from.dims[d];
      steps.back() = from.strides[d];
    } else {
      sizes.push_back(from.dims[d]);
      steps.push_back(from.strides[d]);
    }
  }
  std::vector<std::ptrdiff_t> strides(dims.size());
  std::size_t block = sizes.size(), left = 1;
  std::ptrdiff_t step = 1;
  bool fits = from.elements() != 0;
  for (std::size_t d = dims.size(); fits && d-- > 0;) {
    if (dims[d] == 1) {
      strides[d] = step;
      continue;
    }
    if (left == 1) {
      left = sizes[--block];
      step = steps[block];
    }
    strides[d] = step;
    fits = left % dims[d] == 0;
    left /= dims[d];
    step *= std::ptrdiff_t(dims[d]);
  }
  if (fits) {
    View result = from;
    result.dims = dims;
    result.strides = strides;
    return make(std::move(result));
  }
  return Tensor(core::wholeView(from.graph, from.code,
                                std::make_shared<core::Table>(core::tableOf(from)), dims));
}

Tensor Tensor::reshapePartial(unsigned begin, unsigned end, ArrayRef<std::size_t> shape) const {
  core::Dims dims = this->shape();
  if (begin > end || end > dims.size())
    fail(view(), text("reshapePartial(", begin, ", ", end, ")"));
  dims.erase(dims.begin() + begin, dims.begin() + end);
  dims.insert(dims.begin() + begin, shape.begin(), shape.end());
  return reshape(dims);
}

Tensor Tensor::dimShuffle(ArrayRef<unsigned> permutation) const {
  const View &from = view();
  View result = from;
  std::vector<bool> seen(from.dims.size(), false);
  if (permutation.size() != from.dims.size())
    fail(from, text("dimShuffle with ", permutation.size(), " dimensions"));
  for (std::size_t d = 0; d != permutation.size(); ++d) {
    core::checkDim(from, "dimShuffle", permutation[d]);
    if (seen[permutation[d]])
      fail(from, text("dimShuffle with dimension ", permutation[d], " twice"));
    seen[permutation[d]] = true;
    result.dims[d] = from.dims[permutation[d]];
    result.strides[d] = from.strides[permutation[d]];
  }
  return make(std::move(result));
}

Tensor Tensor::dimShufflePartial(ArrayRef<unsigned> source, ArrayRef<unsigned> destination) const {
  if (source.size() != destination.size())
    fail(view(), "dimShufflePartial with lists of different length");
  const unsigned count = rank(), none = count;
  std::vector<unsigned> order(count, none);
  std::vector<bool> used(count, false);
  for (std::size_t i = 0; i != source.size(); ++i) {
    core::checkDim(view(), "dimShufflePartial", source[i]);
    core::checkDim(view(), "dimShufflePartial", destination[i]);
    order[destination[i]] = source[i];
    used[source[i]] = true;
  }
  unsigned next = 0;
  for (unsigned &dimension : order) {
    if (dimension != none)
      continue;
    while (used[next])
      ++next;
    dimension = next++;
  }
  return dimShuffle(order);
}

Tensor Tensor::dimRoll(unsigned dimension, unsigned newIndex) const {
  const unsigned source[] = {dimension}, destination[] = {newIndex};
  return dimShufflePartial(source, destination);
}

Tensor Tensor::transpose() const {
  std::vector<unsigned> order(rank());
  std::iota(order.rbegin(), order.rend(), 0);
  return dimShuffle(order);
}

Tensor Tensor::expand(ArrayRef<std::size_t> indices) const {
  const View &from = view();
  core::Dims dims;
  std::vector<std::size_t> before(indices.begin(), indices.end());
  for (std::size_t d = 0; d <= from.dims.size(); ++d) {
    for (std::size_t index : before)
      if (index == d)
        dims.push_back(1);
    if (d != from.dims.size())
      dims.push_back(from.dims[d]);
  }
  if (dims.size() != from.dims.size() + indices.size())
    fail(from, "expand at a dimension that does not exist");
  return reshape(dims);
}

Tensor Tensor::squeeze(ArrayRef<std::size_t> indices) const {
  core::Dims dims;
  for (std::size_t d = 0; d != rank(); ++d) {
    const bool gone = std::find(indices.begin(), indices.end(), d) != indices.end();
    if (gone && view().dims[d] != 1)
      fail(view(), text("squeeze of dimension ", d));
    if (!gone)
      dims.push_back(view().dims[d]);
  }
  return reshape(dims);
}

Tensor Tensor::broadcast(unsigned count, unsigned dimension) const {
  View result = view();
  core::checkDim(result, "broadcast", dimension);
  if (count == 1)
    return *this;
  if (result.dims[dimension] == 1) {
    result.dims[dimension] = count;
    result.strides[dimension] = 0;
    return make(std::move(result));
  }
  result.dims.insert(result.dims.begin() + dimension, count);
  result.strides.insert(result.strides.begin() + dimension, 0);
  return make(std::move(result)).flatten(dimension, dimension + 2);
}

Tensor Tensor::subSample(unsigned stride, unsigned dimension) const {
  View result = view();
  core::checkDim(result, "subSample", dimension);
  if (stride == 0)
    fail(result, "subSample with stride 0");
  result.dims[dimension] = (result.dims[dimension] + stride - 1) / stride;
  result.strides[dimension] *= std::ptrdiff_t(stride);
  return make(std::move(result));
}

Tensor Tensor::upsample(unsigned scale, unsigned dimension, UpsampleMethod) const {
  View result = view();
  core::checkDim(result, "upsample", dimension);
  result.dims.insert(result.dims.begin() + dimension + 1, scale);
  result.strides.insert(result.strides.begin() + dimension + 1, 0);
  return make(std::move(result)).flatten(dimension, dimension + 2);
}

Tensor Tensor::reverse(unsigned dimension) const {
  View result = view();
  core::checkDim(result, "reverse", dimension);
  if (result.dims[dimension])
    result.offset +=
        std::size_t(std::ptrdiff_t(result.dims[dimension] - 1) * result.strides[dimension]);
  result.strides[dimension] = -result.strides[dimension];
  return make(std::move(result));
}

Tensor Tensor::reinterpret(const Type &type) const {
  View result = view();
  if (core::sizeOf(result.code) != core::sizeOf(type.code()))
    throw type_error(text("reinterpret from ", elementType(), " to ", type,
                          ": their sizes differ"));
  result.code = type.code();
  return make(std::move(result));
}

std::vector<Interval> Tensor::getContiguousRegions() const {
  std::vector<Interval> result;
  std::size_t position = 0;
  for (const core::Run &run : core::runsOf(view())) {
    result.emplace_back(position, position + run.size);
    position += run.size;
  }
  return result;
}

bool Tensor::isContiguous() const { return core::runsOf(view()).size() <= 1; }

bool Tensor::containsAliases() const {
  std::vector<core::Run> runs = core::runsOf(view());
  std::sort(runs.begin(), runs.end(), [](const core::Run &a, const core::Run &b) {
    return a.variable != b.variable ? a.variable < b.variable : a.begin < b.begin;
  });
  for (std::size_t i = 1; i < runs.size(); ++i)
    if (runs[i].variable == runs[i - 1].variable &&
        runs[i].begin < runs[i - 1].begin + runs[i - 1].size)
      return true;
  return false;
}

bool Tensor::containsConstant() const {
  for (const core::Run &run : core::runsOf(view()))
    if (view().graph->variables[run.variable].isConstant)
      return true;
  return false;
}

bool Tensor::isParallelWriteable() const { return !containsAliases() && !containsConstant(); }

bool Tensor::operator==(const Tensor &other) const {
  if (!valid() || !other.valid())
    return valid() == other.valid();
  if (shape() != other.shape() || elementType() != other.elementType())
    return false;
  const auto a = core::runsOf(view()), b = core::runsOf(other.view());
  return view().graph == other.view().graph && a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const core::Run &x, const core::Run &y) {
           return x.variable == y.variable && x.begin == y.begin && x.size == y.size;
         });
}

Tensor concat(ArrayRef<Tensor> tensors, unsigned dimension) {
  if (tensors.empty())
    throw poplar_error("concat of no tensors");
  const View &first = tensors[0].view();
  if (tensors.size() == 1)
    return tensors[0];
  core::checkDim(first, "concat", dimension);
  core::Dims dims = first.dims;
  dims[dimension] = 0;
  for (const Tensor &tensor : tensors) {
    core::Dims other = tensor.shape();
    if (other.size() != dims.size() || tensor.view().code != first.code)
      throw poplar_error(text("concat of ", Type(first.code), core::toString(first.dims), " and ",
                              tensor.elementType(), tensor.shapeToString()));
    dims[dimension] += other[dimension];
    other[dimension] = first.dims[dimension];
    if (other != first.dims)
      throw poplar_error(text("concat along dimension ", dimension, " of ",
                              core::toString(first.dims), " and ", tensor.shapeToString()));
  }
  // The table lists one tensor after the other, the dimension first; a view puts it in its place.
  auto table = std::make_shared<core::Table>();
  for (const Tensor &tensor : tensors) {
    const Tensor rolled = tensor.dimRoll(dimension);
    core::stretches(rolled.view(), [&](std::size_t position, std::size_t size) {
      core::appendRuns(*rolled.view().table, position, size, *table);
    });
  }
  core::Dims rolled = dims;
  rolled.erase(rolled.begin() + dimension);
  rolled.insert(rolled.begin(), dims[dimension]);
  return Tensor(core::wholeView(first.graph, first.code, table, rolled)).dimRoll(0, dimension);
}

Tensor concat(const Tensor &first, const Tensor &second, unsigned dimension) {
  const Tensor both[] = {first, second};
  return concat(ArrayRef<Tensor>(both, 2), dimension);
}

Tensor append(const Tensor &first, const Tensor &second, unsigned dimension) {
  return concat(first, second.expand({dimension}), dimension);
}

Tensor append(const Tensor &first, const Tensor &second) { return append(first, second, 0); }

std::ostream &operator<<(std::ostream &stream, const Tensor &tensor) {
  return stream << tensor.elementType() << tensor.shapeToString();
}

} // namespace poplar
