#ifndef popart_tensorinfo_hpp
#define popart_tensorinfo_hpp

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include <popart/datatype.hpp>
#include <popart/names.hpp>

namespace popart {

// Element type and shape.
class TensorInfo {
public:
  TensorInfo() = default;
  TensorInfo(DataType type, const Shape &shape) : type_(type), shape_(shape), isSet_(true) {}
  TensorInfo(DataType type, const Shape &shape, const Shape &) : TensorInfo(type, shape) {}
  TensorInfo(std::string type, const Shape &shape);

  void set(DataType type, const Shape &shape) { *this = TensorInfo(type, shape); }
  void set(DataType type) { type_ = type; }
  const Shape &shape() const { return shape_; }
  std::vector<std::size_t> shape_szt() const {
    return std::vector<std::size_t>(shape_.begin(), shape_.end());
  }
  Rank rank() const { return static_cast<Rank>(shape_.size()); }
  std::int64_t nelms() const;
  std::int64_t nbytes() const;
  std::int64_t dim(int index) const;
  std::vector<int> dims_int() const { return std::vector<int>(shape_.begin(), shape_.end()); }
  DataType dataType() const { return type_; }
  const std::string &data_type() const;
  const std::string &data_type_lcase() const;
  std::size_t getDataTypeBytes() const;
  bool isSet() const { return isSet_; }
  void append(std::ostream &) const;
  bool operator==(const TensorInfo &other) const {
    return type_ == other.type_ && shape_ == other.shape_;
  }
  bool operator!=(const TensorInfo &other) const { return !(*this == other); }

private:
  DataType type_ = DataType::UNDEFINED;
  Shape shape_;
  bool isSet_ = false;
};

std::ostream &operator<<(std::ostream &, const TensorInfo &);
DataType dataTypeFromString(const std::string &name);
std::string getDataTypeName(DataType type);

} // namespace popart

#endif
