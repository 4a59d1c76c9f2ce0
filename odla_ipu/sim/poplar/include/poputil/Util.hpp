#ifndef poputil_Util_hpp
#define poputil_Util_hpp

#include <cassert>
#include <climits>
#include <string>
#include <vector>

#include <poplar/Graph.hpp>
#include <poplar/Program.hpp>
#include <poplar/Target.hpp>
#include <poplar/Tensor.hpp>

namespace poputil {

// Splits regions into at most `maxPartitions` groups of equal size, a multiple of `grainSize`
// elements and at least `minElementsPerPartition`; a group's regions keep their order.
std::vector<std::vector<poplar::Interval>>
splitRegions(const std::vector<poplar::Interval> &regions, unsigned grainSize,
             unsigned maxPartitions, unsigned minElementsPerPartition = 0,
             unsigned maxElementsPerPartition = UINT_MAX,
             unsigned maxElementsPerRegion = UINT_MAX);
std::vector<std::vector<poplar::Interval>>
splitRegionsBetweenWorkers(const poplar::Target &target,
                           const std::vector<poplar::Interval> &regions, unsigned grainSize,
                           unsigned minElementsPerPartition = 0,
                           unsigned maxElementsPerPartition = UINT_MAX,
                           unsigned maxElementsPerRegion = UINT_MAX);
std::vector<std::vector<std::vector<poplar::Interval>>>
splitRegionsBetweenWorkers(const poplar::Target &target,
                           const std::vector<std::vector<poplar::Interval>> &regions,
                           unsigned grainSize, unsigned minElementsPerPartition = 0,
                           unsigned maxElementsPerPartition = UINT_MAX,
                           unsigned maxElementsPerRegion = UINT_MAX);

template <class T>
std::vector<T> unflattenIndex(const std::vector<T> &shape, std::size_t index) {
  std::vector<T> coordinates(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    coordinates[d] = index % shape[d];
    index /= shape[d];
  }
  assert(index == 0);
  return coordinates;
}

template <class T>
std::size_t flattenIndex(const std::vector<T> &shape, const std::vector<T> &indices) {
  std::size_t index = 0;
  for (std::size_t d = 0; d != shape.size(); ++d)
    index = index * shape[d] + indices[d];
  return index;
}

template <class T> T ceildiv(T x, T y) { return (x + y - 1) / y; }
template <class T> T roundup(T x, T y) { return ceildiv(x, y) * y; }

poplar::Tensor duplicate(poplar::Graph &graph, const poplar::Tensor &in,
                         poplar::program::Sequence &prog, const poplar::DebugContext & = {},
                         poplar::TensorCloneMethod =
                             poplar::TensorCloneMethod::PRESERVE_ORDER_UNLESS_ALIASES);

} // namespace poputil

#endif
