#ifndef poplar_StringRef_hpp
#define poplar_StringRef_hpp

#include <cstddef>
#include <cstring>
#include <string>

namespace poplar {

class StringRef {
public:
  StringRef() = default;
  StringRef(const char *text) : data_(text), size_(std::strlen(text)) {}
  StringRef(const char *text, std::size_t size) : data_(text), size_(size) {}
  StringRef(const std::string &text) : data_(text.data()), size_(text.size()) {}

  const char *data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const char *begin() const { return data_; }
  const char *end() const { return data_ + size_; }
  std::string cloneAsString() const { return std::string(data_, size_); }
  operator std::string() const { return cloneAsString(); }

private:
  const char *data_ = "";
  std::size_t size_ = 0;
};

} // namespace poplar

#endif
