#ifndef popops_Encoding_hpp
#define popops_Encoding_hpp

#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>
#include <cstdint>

namespace popops {

// 1 where the last dimension of `encoded` is the index, 0 elsewhere.
void encodeOneHot(poplar::Graph &graph, const poplar::Tensor &indices,
                  const poplar::Tensor &encoded, poplar::program::Sequence &prog,
                  const poplar::DebugContext & = {});
void encodeOneHot(poplar::Graph &graph, const poplar::Tensor &indices,
                  const poplar::Tensor &encoded, poplar::program::Sequence &prog,
                  const poplar::Tensor &on, const poplar::Tensor &off,
                  const poplar::DebugContext & = {});
// start, start + 1, ... along a vector.
void iota(poplar::Graph &graph, const poplar::Tensor &tensor, unsigned start,
          poplar::program::Sequence &prog, const poplar::DebugContext & = {});
void iota(poplar::Graph &graph, const poplar::Tensor &tensor, int start,
          poplar::program::Sequence &prog, const poplar::DebugContext & = {});

} // namespace popops

#endif
