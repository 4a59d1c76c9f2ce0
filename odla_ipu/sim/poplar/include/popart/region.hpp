#ifndef popart_region_hpp
#define popart_region_hpp

#include <functional>
#include <vector>

#include <popart/names.hpp>

namespace popart {
namespace view {

enum class AccessType { None = 0, Read = 1, Write = 2, ReadWrite = 3 };

// A part of a tensor.
class Region {
public:
  Region(const std::vector<std::int64_t> &lower, const std::vector<std::int64_t> &upper,
         AccessType access = AccessType::ReadWrite)
      : lower(lower), upper(upper), access(access) {}
  static Region getFull(const Shape &shape, AccessType access = AccessType::ReadWrite) {
    return Region(Shape(shape.size(), 0), shape, access);
  }
  static Region getEmpty(std::size_t rank) {
    return Region(Shape(rank, 0), Shape(rank, 0), AccessType::None);
  }
  const Shape &getLower() const { return lower; }
  const Shape &getUpper() const { return upper; }
  std::int64_t nelms() const {
    std::int64_t count = 1;
    for (std::size_t i = 0; i != lower.size(); ++i)
      count *= upper[i] - lower[i];
    return count;
  }
  bool isEmpty() const { return nelms() == 0; }

private:
  Shape lower, upper;
  AccessType access;
};

using Regions = std::vector<Region>;
using RegMap = std::function<Regions(const Region &)>;

} // namespace view
} // namespace popart

#endif
