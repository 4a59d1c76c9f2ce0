#ifndef popops_Fill_hpp
#define popops_Fill_hpp

#include <popops/ElementWise.hpp>
#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>

namespace popops {

namespace host {
void fill(const poplar::Tensor &tensor, poplar::program::Sequence &prog, double value);
}

template <class T>
void fill(poplar::Graph &, const poplar::Tensor &tensor, poplar::program::Sequence &prog, T value,
          const poplar::DebugContext & = {}) {
  host::fill(tensor, prog, double(value));
}

} // namespace popops

#endif
