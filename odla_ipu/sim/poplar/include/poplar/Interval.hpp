#ifndef poplar_Interval_hpp
#define poplar_Interval_hpp

#include <cstddef>

namespace poplar {

// The half-open range [begin, end).
template <class T> class GenericInterval {
public:
  GenericInterval() : begin_(), end_() {}
  GenericInterval(T begin, T end) : begin_(begin), end_(end) {}

  const T &begin() const { return begin_; }
  const T &end() const { return end_; }
  const T &lower() const { return begin_; }
  const T &upper() const { return end_; }
  T size() const { return end_ - begin_; }
  bool operator==(const GenericInterval &other) const {
    return begin_ == other.begin_ && end_ == other.end_;
  }
  bool operator!=(const GenericInterval &other) const { return !(*this == other); }
  bool operator<(const GenericInterval &other) const {
    return begin_ != other.begin_ ? begin_ < other.begin_ : end_ < other.end_;
  }

private:
  T begin_, end_;
};

using Interval = GenericInterval<std::size_t>;

} // namespace poplar

#endif
