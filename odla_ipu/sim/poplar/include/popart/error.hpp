#ifndef popart_error_hpp
#define popart_error_hpp

#include <sstream>
#include <stdexcept>
#include <string>

namespace popart {

namespace host {

// Replaces each {} in turn, whatever stands after a colon in it.
inline void format(std::ostringstream &stream, const char *text) { stream << text; }
template <class T, class... Rest>
void format(std::ostringstream &stream, const char *text, const T &value, const Rest &...rest) {
  for (; *text; ++text) {
    if (*text != '{') {
      stream << *text;
      continue;
    }
    while (*text && *text != '}')
      ++text;
    stream << value;
    return format(stream, *text ? text + 1 : text, rest...);
  }
}

} // namespace host

class error : public std::runtime_error {
public:
  template <class... Args>
  explicit error(const char *text, const Args &...args) : std::runtime_error(make(text, args...)) {}
  template <class... Args>
  explicit error(const std::string &text, const Args &...args)
      : std::runtime_error(make(text.c_str(), args...)) {}
  ~error() override;

private:
  template <class... Args> static std::string make(const char *text, const Args &...args) {
    std::ostringstream stream;
    host::format(stream, text, args...);
    return stream.str();
  }
};

class internal_error : public error {
public:
  using error::error;
};

class runtime_error : public error {
public:
  using error::error;
};

} // namespace popart

#endif
