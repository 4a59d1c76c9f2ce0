#ifndef poputil_TileMapping_hpp
#define poputil_TileMapping_hpp

#include <utility>
#include <vector>

#include <poplar/Graph.hpp>
#include <poplar/Tensor.hpp>

namespace poputil {

// Elements in equal shares to consecutive tiles; a tile takes at least `minElementsPerTile` (the
// short form: 128 bytes) and multiples of `grainSize` (the short form: a vector).
std::vector<std::vector<poplar::Interval>> calcLinearTileMapping(const poplar::Graph &graph,
                                                                 const poplar::Tensor &tensor);
std::vector<std::vector<poplar::Interval>>
calcLinearTileMapping(const poplar::Graph &graph, const poplar::Tensor &tensor,
                      unsigned minElementsPerTile, unsigned grainSize);
std::vector<std::vector<poplar::Interval>>
calcLinearTileMapping(const poplar::Graph &graph, poplar::ArrayRef<std::size_t> shape,
                      unsigned minElementsPerTile, unsigned grainSize);
std::vector<std::vector<poplar::Interval>>
calcLinearTileMapping(const poplar::Graph &graph, poplar::ArrayRef<std::size_t> shape,
                      const poplar::Type &type);
std::pair<std::vector<std::vector<poplar::Interval>>, unsigned>
calcLinearTileMappingAndNewOffset(const poplar::Graph &graph, const poplar::Tensor &tensor,
                                  unsigned offset = 0);
void mapTensorLinearly(poplar::Graph &graph, const poplar::Tensor &tensor);
void mapTensorLinearly(poplar::Graph &graph, const poplar::Tensor &tensor,
                       unsigned minElementsPerTile, unsigned grainSize);
unsigned mapTensorLinearlyWithOffset(poplar::Graph &graph, const poplar::Tensor &tensor,
                                     unsigned offset = 0);
unsigned mapTensorLinearlyWithOffset(poplar::Graph &graph, const poplar::Tensor &tensor,
                                     unsigned minElementsPerTile, unsigned grainSize,
                                     unsigned offset);

} // namespace poputil

#endif
