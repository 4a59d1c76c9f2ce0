#ifndef popops_Gather_hpp
#define popops_Gather_hpp

#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>

namespace popops {

struct GatherParams {
  std::size_t maxElementsPerTile = 65535;
};

// The slices of dimension `axis` at the indices: the tensor's shape with that of the indices there.
poplar::Tensor gather(poplar::Graph &graph, const poplar::Tensor &tensor,
                      const poplar::Tensor &indices, unsigned axis,
                      poplar::program::Sequence &prog, const GatherParams &params = {},
                      const poplar::DebugContext & = {}, const poplar::OptionFlags & = {});

} // namespace popops

#endif
