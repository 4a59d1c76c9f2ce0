#ifndef popops_Cast_hpp
#define popops_Cast_hpp

#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>

namespace popops {

poplar::Tensor cast(poplar::Graph &graph, const poplar::Tensor &tensor, const poplar::Type &type,
                    poplar::program::Sequence &prog, const poplar::DebugContext & = {});
poplar::program::Program cast(poplar::Graph &graph, poplar::Tensor source,
                              poplar::Tensor destination, const poplar::DebugContext & = {});

} // namespace popops

#endif
