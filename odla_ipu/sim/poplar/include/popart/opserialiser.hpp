#ifndef popart_opserialiser_hpp
#define popart_opserialiser_hpp

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace popart {

// Collects attributes as text; two equal ops give equal text.
class OpSerialiserBase {
public:
  virtual ~OpSerialiserBase();

  template <class T> void appendAttribute(const std::string &name, const T &value) {
    std::ostringstream stream;
    stream << value;
    append(name, stream.str());
  }
  template <class T> void appendAttribute(const std::string &name, const std::vector<T> &values) {
    std::ostringstream stream;
    for (const T &value : values)
      stream << value << ' ';
    append(name, stream.str());
  }

protected:
  virtual void append(const std::string &name, const std::string &value) = 0;
};

} // namespace popart

#endif
