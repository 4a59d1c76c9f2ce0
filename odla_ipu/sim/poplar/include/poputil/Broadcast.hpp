#ifndef poputil_Broadcast_hpp
#define poputil_Broadcast_hpp

#include <string>
#include <vector>

#include <poplar/Tensor.hpp>

namespace poputil {

// numpy's broadcasting, as views.
bool canBroadcastToMatch(const poplar::Tensor &a, const poplar::Tensor &b);
void broadcastToMatch(poplar::Tensor &a, const std::vector<std::size_t> &shape);
void broadcastToMatch(poplar::Tensor &a, poplar::Tensor &b);
void broadcastToMatch(poplar::Tensor &a, poplar::Tensor &b, poplar::Tensor &c);

} // namespace poputil

#endif
