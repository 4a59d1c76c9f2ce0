#ifndef popart_attributes_hpp
#define popart_attributes_hpp

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace popart {

// The attributes of a node, each of one of these types.
class Attributes {
public:
  using Ints = std::vector<std::int64_t>;
  using Int = std::int64_t;
  using Floats = std::vector<float>;
  using Float = float;
  using String = std::string;
  using Strings = std::vector<std::string>;

  struct Value {
    enum class Kind { INT, FLOAT, STRING, INTS, FLOATS, STRINGS } kind;
    Ints ints;
    Floats floats;
    Strings strings;
  };

  bool hasAttribute(const std::string &name) const { return values.count(name) != 0; }
  const std::vector<std::string> &getNames() const { return names; }

  // Throws popart::error without the attribute, or if it is of another type.
  template <class T> T getAttribute(const std::string &name) const;
  template <class T> T getAttribute(const std::string &name, const T &whenAbsent) const {
    return hasAttribute(name) ? getAttribute<T>(name) : whenAbsent;
  }

  void add(const std::string &name, Value value) {
    values[name] = std::move(value);
    names.push_back(name);
  }

private:
  const Value &find(const std::string &name, Value::Kind kind) const;

  std::map<std::string, Value> values;
  std::vector<std::string> names;
};

template <> Attributes::Int Attributes::getAttribute<Attributes::Int>(const std::string &) const;
template <>
Attributes::Float Attributes::getAttribute<Attributes::Float>(const std::string &) const;
template <>
Attributes::String Attributes::getAttribute<Attributes::String>(const std::string &) const;
template <> Attributes::Ints Attributes::getAttribute<Attributes::Ints>(const std::string &) const;
template <>
Attributes::Floats Attributes::getAttribute<Attributes::Floats>(const std::string &) const;
template <>
Attributes::Strings Attributes::getAttribute<Attributes::Strings>(const std::string &) const;

} // namespace popart

#endif
