// Activation functions; a softmax is along the last dimension.
#ifndef popnn_NonLinearity_hpp
#define popnn_NonLinearity_hpp

#include <popnn/NonLinearityDef.hpp>
#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>

namespace popnn {

poplar::Tensor nonLinearity(poplar::Graph &graph, NonLinearityType type, poplar::Tensor tensor,
                            poplar::program::Sequence &prog, const poplar::DebugContext & = {},
                            const poplar::OptionFlags & = {});
void nonLinearityInPlace(poplar::Graph &graph, NonLinearityType type, poplar::Tensor tensor,
                         poplar::program::Sequence &prog, const poplar::DebugContext & = {},
                         const poplar::OptionFlags & = {});

#define ODLA_POPNN_NON_LINEARITY(name, TYPE)                                                       \
  inline poplar::Tensor name(poplar::Graph &graph, poplar::Tensor tensor,                          \
                             poplar::program::Sequence &prog,                                      \
                             const poplar::DebugContext &dc = {},                                  \
                             const poplar::OptionFlags & = {}) {                                   \
    return nonLinearity(graph, NonLinearityType::TYPE, tensor, prog, dc);                          \
  }                                                                                                \
  inline void name##InPlace(poplar::Graph &graph, poplar::Tensor tensor,                           \
                            poplar::program::Sequence &prog, const poplar::DebugContext &dc = {},  \
                            const poplar::OptionFlags & = {}) {                                    \
    nonLinearityInPlace(graph, NonLinearityType::TYPE, tensor, prog, dc);                          \
  }
ODLA_POPNN_NON_LINEARITY(sigmoid, SIGMOID)
ODLA_POPNN_NON_LINEARITY(relu, RELU)
ODLA_POPNN_NON_LINEARITY(tanh, TANH)
ODLA_POPNN_NON_LINEARITY(gelu, GELU)
ODLA_POPNN_NON_LINEARITY(geluErf, GELU_ERF)
ODLA_POPNN_NON_LINEARITY(swish, SWISH)
ODLA_POPNN_NON_LINEARITY(softmax, SOFTMAX)
ODLA_POPNN_NON_LINEARITY(softmaxStable, SOFTMAX_STABLE)
#undef ODLA_POPNN_NON_LINEARITY

} // namespace popnn

#endif
