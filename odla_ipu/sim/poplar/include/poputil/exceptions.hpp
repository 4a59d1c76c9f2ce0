#ifndef poputil_exceptions_hpp
#define poputil_exceptions_hpp

#include <stdexcept>
#include <string>

namespace poputil {

struct poplibs_error : std::runtime_error {
  explicit poplibs_error(const std::string &message);
  explicit poplibs_error(const char *message);
  ~poplibs_error() override;
};

} // namespace poputil

#endif
