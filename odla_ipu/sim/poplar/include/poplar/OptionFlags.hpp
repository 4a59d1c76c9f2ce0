#ifndef poplar_OptionFlags_hpp
#define poplar_OptionFlags_hpp

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

namespace poplar {

class OptionFlags {
public:
  using OptionFlag = std::pair<const std::string, std::string>;

  OptionFlags() = default;
  OptionFlags(std::initializer_list<OptionFlag> flags) : flags_(flags) {}

  void set(const std::string &key, const std::string &value) { flags_[key] = value; }
  void set(std::initializer_list<OptionFlag> flags) {
    for (const auto &flag : flags)
      flags_[flag.first] = flag.second;
  }
  const std::string &at(const std::string &key) const { return flags_.at(key); }
  void clear() { flags_.clear(); }
  auto begin() const { return flags_.begin(); }
  auto end() const { return flags_.end(); }

private:
  std::map<std::string, std::string> flags_;
};

} // namespace poplar

#endif
