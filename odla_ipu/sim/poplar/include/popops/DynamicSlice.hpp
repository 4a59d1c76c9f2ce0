#ifndef popops_DynamicSlice_hpp
#define popops_DynamicSlice_hpp

#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>
#include <vector>

namespace popops {

class SlicePlan {};

// Rows of the sliced dimensions at each offset: [offsets, the tensor with those dims cut].
poplar::Tensor multiSlice(poplar::Graph &graph, const poplar::Tensor &tensor,
                          const poplar::Tensor &offsets, const std::vector<std::size_t> &dims,
                          const std::vector<std::size_t> &sizes, poplar::program::Sequence &prog,
                          const SlicePlan &plan, const poplar::OptionFlags &options,
                          const poplar::DebugContext & = {});
void multiUpdate(poplar::Graph &graph, const poplar::Tensor &tensor, const poplar::Tensor &slices,
                 const poplar::Tensor &offsets, const std::vector<std::size_t> &dims,
                 const std::vector<std::size_t> &sizes, poplar::program::Sequence &prog,
                 const SlicePlan &plan, const poplar::OptionFlags &options,
                 const poplar::DebugContext & = {});
void multiUpdateAdd(poplar::Graph &graph, const poplar::Tensor &tensor,
                    const poplar::Tensor &slices, const poplar::Tensor &offsets,
                    const poplar::Tensor &scale, const std::vector<std::size_t> &dims,
                    const std::vector<std::size_t> &sizes, poplar::program::Sequence &prog,
                    const SlicePlan &plan, const poplar::OptionFlags &options,
                    const poplar::DebugContext & = {});
void multiUpdateMax(poplar::Graph &graph, const poplar::Tensor &tensor,
                    const poplar::Tensor &slices, const poplar::Tensor &offsets,
                    const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                    poplar::program::Sequence &prog, const SlicePlan &plan,
                    const poplar::OptionFlags &options, const poplar::DebugContext & = {});
void multiUpdateMul(poplar::Graph &graph, const poplar::Tensor &tensor,
                    const poplar::Tensor &slices, const poplar::Tensor &offsets,
                    const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                    poplar::program::Sequence &prog, const SlicePlan &plan,
                    const poplar::OptionFlags &options, const poplar::DebugContext & = {});
poplar::Tensor dynamicSlice(poplar::Graph &graph, const poplar::Tensor &tensor,
                            const poplar::Tensor &offset, const std::vector<std::size_t> &dims,
                            const std::vector<std::size_t> &sizes,
                            poplar::program::Sequence &prog, const poplar::DebugContext & = {},
                            const poplar::OptionFlags & = {});
void dynamicUpdate(poplar::Graph &graph, const poplar::Tensor &tensor,
                   const poplar::Tensor &slice, const poplar::Tensor &offset,
                   const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                   poplar::program::Sequence &prog, const poplar::DebugContext & = {},
                   const poplar::OptionFlags & = {});

} // namespace popops

#endif
