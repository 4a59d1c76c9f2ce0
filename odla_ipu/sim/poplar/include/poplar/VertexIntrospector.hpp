#ifndef poplar_VertexIntrospector_hpp
#define poplar_VertexIntrospector_hpp

#include <cstdint>
#include <functional>

#include <poplar/Target.hpp>

namespace poplar {

class FieldData {
public:
  explicit FieldData(std::size_t size = 0) : size_(size) {}
  std::size_t size() const { return size_; }

private:
  std::size_t size_;
};

class VertexIntrospector {
public:
  FieldData getFieldInfo(const std::string &) const { return FieldData(); }
};

struct VertexPerfEstimate {
  VertexPerfEstimate(std::uint64_t cycles = 0, std::uint64_t flops = 0)
      : cycles(cycles), flops(flops) {}
  std::uint64_t cycles, flops;
};

using PerfEstimateFunc =
    std::function<VertexPerfEstimate(const VertexIntrospector &, const Target &)>;

} // namespace poplar

#endif
