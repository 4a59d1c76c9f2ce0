#ifndef popops_Zero_hpp
#define popops_Zero_hpp

#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>

namespace popops {

void zero(poplar::Graph &graph, const poplar::Tensor &tensor, poplar::program::Sequence &prog,
          const poplar::DebugContext & = {});

} // namespace popops

#endif
