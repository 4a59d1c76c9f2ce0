#ifndef poputil_VertexTemplates_hpp
#define poputil_VertexTemplates_hpp

#include <string>
#include <type_traits>

#include <poplar/Type.hpp>
#include <poplar/Vertex.hpp>

namespace poputil {

inline std::string templateArgument(const poplar::Type &type) { return type.toString(); }
inline std::string templateArgument(const std::string &text) { return text; }
inline std::string templateArgument(const char *text) { return text; }
inline std::string templateArgument(bool value) { return value ? "true" : "false"; }
template <class T>
std::enable_if_t<std::is_arithmetic<T>::value, std::string> templateArgument(T value) {
  return std::to_string(value);
}
template <class T> std::enable_if_t<std::is_enum<T>::value, std::string> templateArgument(T value) {
  return std::to_string(static_cast<long long>(value));
}

inline std::string templateVertexParams(bool) { return ">"; }
template <class T, class... Rest>
std::string templateVertexParams(bool first, const T &value, const Rest &...rest) {
  return (first ? "<" : ",") + templateArgument(value) + templateVertexParams(false, rest...);
}

// The name of a template's instance, such as ns::Name<float,true,4>.
inline std::string templateVertex(const std::string &name) { return name; }
template <class T, class... Rest>
std::string templateVertex(const std::string &name, const T &value, const Rest &...rest) {
  return name + templateVertexParams(true, value, rest...);
}

} // namespace poputil

#endif
