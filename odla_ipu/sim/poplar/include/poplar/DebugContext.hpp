#ifndef poplar_DebugContext_hpp
#define poplar_DebugContext_hpp

#include <string>

#include <poplar/StringRef.hpp>

namespace poplar {

class DebugNameAndId {
public:
  DebugNameAndId(std::string name = "") : name_(std::move(name)) {}
  DebugNameAndId(const char *name) : name_(name) {}
  DebugNameAndId(const DebugNameAndId &outer, std::string name)
      : name_(outer.name_.empty() ? std::move(name) : outer.name_ + "/" + name) {}
  std::string getPathName() const { return name_; }

private:
  std::string name_;
};

// The name under which a variable, compute set or program shows in messages.
class DebugContext {
public:
  DebugContext() = default;
  DebugContext(const char *name) : name_(name) {}
  DebugContext(StringRef name) : name_(name) {}
  DebugContext(std::string name) : name_(std::move(name)) {}
  DebugContext(const DebugNameAndId &name, std::string inner = "")
      : name_(inner.empty() ? name.getPathName() : name.getPathName() + "/" + inner) {}
  std::string getPathName() const { return name_; }

private:
  std::string name_;
};

} // namespace poplar

#endif
