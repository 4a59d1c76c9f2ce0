#ifndef popops_TopK_hpp
#define popops_TopK_hpp

#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>
#include <popops/SortOrder.hpp>
#include <utility>

namespace popops {

struct TopKParams {
  TopKParams(unsigned k, bool largest, SortOrder order, bool stable = false) noexcept
      : k(k), largest(largest), sortOrder(order), stableSort(stable) {}
  unsigned k;
  bool largest;
  SortOrder sortOrder;
  bool stableSort;
};

// Along the last dimension; of equal elements the first comes first.
poplar::Tensor topK(poplar::Graph &graph, poplar::program::Sequence &prog,
                    const poplar::Tensor &tensor, const TopKParams &params,
                    const poplar::DebugContext & = {}, const poplar::OptionFlags & = {});
std::pair<poplar::Tensor, poplar::Tensor>
topKKeyValue(poplar::Graph &graph, poplar::program::Sequence &prog, const poplar::Tensor &keys,
             const poplar::Tensor &values, const TopKParams &params,
             const poplar::DebugContext & = {}, const poplar::OptionFlags & = {});
std::pair<poplar::Tensor, poplar::Tensor>
topKWithPermutation(poplar::Graph &graph, poplar::program::Sequence &prog,
                    const poplar::Tensor &tensor, const TopKParams &params,
                    const poplar::DebugContext & = {}, const poplar::OptionFlags & = {});

} // namespace popops

#endif
