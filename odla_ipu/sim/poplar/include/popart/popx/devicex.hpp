#ifndef popart_popx_devicex_hpp
#define popart_popx_devicex_hpp

#include <poplar/Graph.hpp>
#include <poplar/Type.hpp>
#include <popart/tensorinfo.hpp>

namespace popart {
namespace popx {

poplar::Type popType(const TensorInfo &info);
poplar::Type popType(DataType type);

class Devicex {
public:
  explicit Devicex(poplar::Graph &graph) : graph_(graph) {}
  poplar::Graph &graph() const { return graph_; }

private:
  poplar::Graph &graph_;
};

} // namespace popx
} // namespace popart

#endif
