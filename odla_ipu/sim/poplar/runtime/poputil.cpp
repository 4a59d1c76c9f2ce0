#include "core.hpp"

#include <algorithm>
#include <poputil/Broadcast.hpp>
#include <poputil/TileMapping.hpp>
#include <poputil/Util.hpp>
#include <poputil/exceptions.hpp>

namespace poputil {

using poplar::core::Dims;

poplibs_error::poplibs_error(const std::string &message) : std::runtime_error(message) {}
poplibs_error::poplibs_error(const char *message) : std::runtime_error(message) {}
poplibs_error::~poplibs_error() = default;

namespace {

using Mapping = std::vector<std::vector<poplar::Interval>>;

unsigned leastElements(const poplar::Graph &graph, const poplar::Type &type) {
  return unsigned(128 / graph.getTarget().getTypeSize(type));
}

Mapping linear(const poplar::Graph &graph, std::size_t count, std::size_t least,
               std::size_t grain) {
  const std::size_t tiles = graph.getTarget().getNumTiles();
  grain = std::max<std::size_t>(grain, 1);
  const std::size_t share =
      roundup(std::max<std::size_t>({ceildiv(count, tiles), least, 1}), grain);
  Mapping result(tiles);
  for (std::size_t begin = 0, tile = 0; begin < count; begin += share, ++tile)
    result[tile].emplace_back(begin, std::min(begin + share, count));
  return result;
}

void applyShifted(poplar::Graph &graph, const poplar::Tensor &tensor, Mapping mapping,
                  unsigned offset) {
  std::rotate(mapping.rbegin(), mapping.rbegin() + offset % mapping.size(), mapping.rend());
  graph.setTileMapping(tensor, mapping);
}

unsigned usedTiles(const Mapping &mapping) {
  unsigned used = 0;
  while (used != mapping.size() && !mapping[used].empty())
    ++used;
  return used;
}

} // namespace

Mapping calcLinearTileMapping(const poplar::Graph &graph, const poplar::Tensor &tensor) {
  return calcLinearTileMapping(graph, tensor.shape(), tensor.elementType());
}

Mapping calcLinearTileMapping(const poplar::Graph &graph, const poplar::Tensor &tensor,
                              unsigned minElementsPerTile, unsigned grainSize) {
  return linear(graph, tensor.numElements(), minElementsPerTile, grainSize);
}

Mapping calcLinearTileMapping(const poplar::Graph &graph, poplar::ArrayRef<std::size_t> shape,
                              unsigned minElementsPerTile, unsigned grainSize) {
  return linear(graph, poplar::core::product(shape), minElementsPerTile, grainSize);
}

Mapping calcLinearTileMapping(const poplar::Graph &graph, poplar::ArrayRef<std::size_t> shape,
                              const poplar::Type &type) {
  return linear(graph, poplar::core::product(shape), leastElements(graph, type),
                graph.getTarget().getVectorWidth(type));
}

std::pair<Mapping, unsigned> calcLinearTileMappingAndNewOffset(const poplar::Graph &graph,
                                                               const poplar::Tensor &tensor,
                                                               unsigned offset) {
  Mapping mapping = calcLinearTileMapping(graph, tensor);
  const unsigned next = (offset + usedTiles(mapping)) % unsigned(mapping.size());
  std::rotate(mapping.rbegin(), mapping.rbegin() + offset % mapping.size(), mapping.rend());
  return {std::move(mapping), next};
}

void mapTensorLinearly(poplar::Graph &graph, const poplar::Tensor &tensor) {
  graph.setTileMapping(tensor, calcLinearTileMapping(graph, tensor));
}

void mapTensorLinearly(poplar::Graph &graph, const poplar::Tensor &tensor,
                       unsigned minElementsPerTile, unsigned grainSize) {
  graph.setTileMapping(tensor,
                       calcLinearTileMapping(graph, tensor, minElementsPerTile, grainSize));
}

unsigned mapTensorLinearlyWithOffset(poplar::Graph &graph, const poplar::Tensor &tensor,
                                     unsigned offset) {
  const Mapping mapping = calcLinearTileMapping(graph, tensor);
  applyShifted(graph, tensor, mapping, offset);
  return (offset + usedTiles(mapping)) % unsigned(mapping.size());
}

unsigned mapTensorLinearlyWithOffset(poplar::Graph &graph, const poplar::Tensor &tensor,
                                     unsigned minElementsPerTile, unsigned grainSize,
                                     unsigned offset) {
  const Mapping mapping = calcLinearTileMapping(graph, tensor, minElementsPerTile, grainSize);
  applyShifted(graph, tensor, mapping, offset);
  return (offset + usedTiles(mapping)) % unsigned(mapping.size());
}

std::vector<std::vector<poplar::Interval>>
splitRegions(const std::vector<poplar::Interval> &regions, unsigned grainSize,
             unsigned maxPartitions, unsigned minElementsPerPartition,
             unsigned maxElementsPerPartition, unsigned maxElementsPerRegion) {
  std::size_t count = 0;
  for (const poplar::Interval &region : regions)
    count += region.size();
  std::vector<std::vector<poplar::Interval>> result;
  if (count == 0)
    return result;
  std::size_t share = ceildiv<std::size_t>(count, std::max(maxPartitions, 1u));
  share = std::max<std::size_t>(share, minElementsPerPartition);
  share = std::min<std::size_t>(share, maxElementsPerPartition);
  share = roundup<std::size_t>(std::max<std::size_t>(share, 1), std::max(grainSize, 1u));
  std::size_t room = 0;
  for (const poplar::Interval &region : regions)
    for (std::size_t begin = region.begin(); begin != region.end();) {
      if (room == 0) {
        result.emplace_back();
        room = share;
      }
      const std::size_t end =
          std::min({region.end(), begin + room, begin + std::size_t(maxElementsPerRegion)});
      result.back().emplace_back(begin, end);
      room -= end - begin;
      begin = end;
    }
  return result;
}

std::vector<std::vector<poplar::Interval>>
splitRegionsBetweenWorkers(const poplar::Target &target,
                           const std::vector<poplar::Interval> &regions, unsigned grainSize,
                           unsigned minElementsPerPartition, unsigned maxElementsPerPartition,
                           unsigned maxElementsPerRegion) {
  return splitRegions(regions, grainSize, target.getNumWorkerContexts(), minElementsPerPartition,
                      maxElementsPerPartition, maxElementsPerRegion);
}

std::vector<std::vector<std::vector<poplar::Interval>>>
splitRegionsBetweenWorkers(const poplar::Target &target,
                           const std::vector<std::vector<poplar::Interval>> &regions,
                           unsigned grainSize, unsigned minElementsPerPartition, unsigned,
                           unsigned) {
  // Groups as a whole, cut where a share ends.
  std::size_t count = 0;
  for (const auto &group : regions)
    for (const poplar::Interval &region : group)
      count += region.size();
  std::vector<std::vector<std::vector<poplar::Interval>>> result;
  if (count == 0)
    return result;
  std::size_t share = std::max<std::size_t>(
      ceildiv<std::size_t>(count, target.getNumWorkerContexts()), minElementsPerPartition);
  share = roundup<std::size_t>(share, std::max(grainSize, 1u));
  std::size_t room = 0;
  for (const auto &group : regions) {
    bool isNew = true;
    for (const poplar::Interval &region : group)
      for (std::size_t begin = region.begin(); begin != region.end();) {
        if (room == 0) {
          result.emplace_back();
          room = share;
          isNew = true;
        }
        if (isNew)
          result.back().emplace_back();
        isNew = false;
        const std::size_t end = std::min(region.end(), begin + room);
        result.back().back().emplace_back(begin, end);
        room -= end - begin;
        begin = end;
      }
  }
  return result;
}

poplar::Tensor duplicate(poplar::Graph &graph, const poplar::Tensor &in,
                         poplar::program::Sequence &prog, const poplar::DebugContext &name,
                         poplar::TensorCloneMethod method) {
  const poplar::Tensor result = graph.clone(in, name, method);
  prog.add(poplar::program::Copy(in, result));
  return result;
}

bool canBroadcastToMatch(const poplar::Tensor &a, const poplar::Tensor &b) {
  const Dims one = a.shape(), two = b.shape();
  for (std::size_t i = 1; i <= std::min(one.size(), two.size()); ++i) {
    const std::size_t x = one[one.size() - i], y = two[two.size() - i];
    if (x != y && x != 1 && y != 1)
      return false;
  }
  return true;
}

void broadcastToMatch(poplar::Tensor &a, const std::vector<std::size_t> &shape) {
  if (a.rank() > shape.size())
    throw poplibs_error("broadcastToMatch: " + a.shapeToString() + " has more dimensions than " +
                        poplar::core::toString(shape));
  if (a.rank() < shape.size())
    a = a.expand(std::vector<std::size_t>(shape.size() - a.rank(), 0));
  for (unsigned d = 0; d != shape.size(); ++d) {
    if (a.dim(d) == shape[d])
      continue;
    if (a.dim(d) != 1)
      throw poplibs_error("broadcastToMatch: " + a.shapeToString() + " does not fit " +
                          poplar::core::toString(shape));
    a = shape[d] ? a.broadcast(unsigned(shape[d]), d) : a.slice(0, 0, d);
  }
}

namespace {
Dims joined(const Dims &one, const Dims &two) {
  Dims result = one.size() > two.size() ? one : two;
  const Dims &other = one.size() > two.size() ? two : one;
  for (std::size_t i = 1; i <= other.size(); ++i) {
    std::size_t &size = result[result.size() - i];
    size = size == 1 ? other[other.size() - i] : size;
  }
  return result;
}
} // namespace

void broadcastToMatch(poplar::Tensor &a, poplar::Tensor &b) {
  const Dims shape = joined(a.shape(), b.shape());
  broadcastToMatch(a, shape);
  broadcastToMatch(b, shape);
}

void broadcastToMatch(poplar::Tensor &a, poplar::Tensor &b, poplar::Tensor &c) {
  const Dims shape = joined(joined(a.shape(), b.shape()), c.shape());
  broadcastToMatch(a, shape);
  broadcastToMatch(b, shape);
  broadcastToMatch(c, shape);
}

} // namespace poputil
