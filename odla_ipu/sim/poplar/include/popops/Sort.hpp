#ifndef popops_Sort_hpp
#define popops_Sort_hpp

#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>

namespace popops {

poplar::Tensor sort(poplar::Graph &graph, const poplar::Tensor &tensor, unsigned dim,
                    poplar::program::Sequence &prog, const poplar::DebugContext & = {});
void sortInPlace(poplar::Graph &graph, const poplar::Tensor &tensor, unsigned dim,
                 poplar::program::Sequence &prog, const poplar::DebugContext & = {});
poplar::Tensor sortKeyValue(poplar::Graph &graph, const poplar::Tensor &keys,
                            const poplar::Tensor &values, unsigned dim,
                            poplar::program::Sequence &prog, const poplar::DebugContext & = {});

} // namespace popops

#endif
