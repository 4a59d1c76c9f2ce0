#ifndef poplar_Type_hpp
#define poplar_Type_hpp

#include <cstddef>
#include <iosfwd>
#include <string>

#include <host/vertices.hpp>

namespace poplar {

// An element type; compare it with the objects below.
class Type {
public:
  constexpr Type() : code_(host::Code::FLOAT) {}
  constexpr explicit Type(host::Code code) : code_(code) {}

  std::string toString() const;
  constexpr host::Code code() const { return code_; }
  constexpr bool operator==(const Type &other) const { return code_ == other.code_; }
  constexpr bool operator!=(const Type &other) const { return code_ != other.code_; }
  constexpr bool operator<(const Type &other) const { return code_ < other.code_; }

private:
  host::Code code_;
};

std::ostream &operator<<(std::ostream &, const Type &);

inline constexpr Type FLOAT{host::Code::FLOAT};
inline constexpr Type HALF{host::Code::HALF};
inline constexpr Type QUARTER{host::Code::QUARTER};
inline constexpr Type INT{host::Code::INT};
inline constexpr Type UNSIGNED_INT{host::Code::UNSIGNED_INT};
inline constexpr Type SHORT{host::Code::SHORT};
inline constexpr Type UNSIGNED_SHORT{host::Code::UNSIGNED_SHORT};
inline constexpr Type CHAR{host::Code::CHAR};
inline constexpr Type SIGNED_CHAR{host::Code::SIGNED_CHAR};
inline constexpr Type UNSIGNED_CHAR{host::Code::UNSIGNED_CHAR};
inline constexpr Type BOOL{host::Code::BOOL};
inline constexpr Type LONGLONG{host::Code::LONGLONG};
inline constexpr Type UNSIGNED_LONGLONG{host::Code::UNSIGNED_LONGLONG};
inline constexpr Type LONG{host::Code::LONG};
inline constexpr Type UNSIGNED_LONG{host::Code::UNSIGNED_LONG};

template <class T> struct equivalent_device_type {
  const Type value{host::CodeOf<T>::code};
};

} // namespace poplar

#endif
