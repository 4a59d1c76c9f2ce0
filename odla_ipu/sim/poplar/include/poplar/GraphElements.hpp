#ifndef poplar_GraphElements_hpp
#define poplar_GraphElements_hpp

#include <cstddef>
#include <limits>
#include <string>

#include <poplar/StringRef.hpp>

namespace poplar {

class ComputeSet {
public:
  ComputeSet() = default;
  explicit ComputeSet(unsigned id) : id_(id) {}
  unsigned getId() const { return id_; }

private:
  unsigned id_ = std::numeric_limits<unsigned>::max();
};

class Function {
public:
  Function() = default;
  explicit Function(unsigned id) : id_(id) {}
  unsigned getId() const { return id_; }

private:
  unsigned id_ = std::numeric_limits<unsigned>::max();
};

class FieldRef;

class VertexRef {
public:
  VertexRef() = default;
  explicit VertexRef(unsigned id) : id_(id) {}
  unsigned getId() const { return id_; }
  inline FieldRef operator[](StringRef field) const;

private:
  unsigned id_ = std::numeric_limits<unsigned>::max();
};

class FieldRef {
public:
  static constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

  FieldRef(VertexRef vertex, std::string name, std::size_t index = whole)
      : vertex_(vertex), name_(std::move(name)), index_(index) {}
  FieldRef operator[](std::size_t index) const { return FieldRef(vertex_, name_, index); }
  VertexRef getVertex() const { return vertex_; }
  const std::string &getName() const { return name_; }
  std::size_t getIndex() const { return index_; }

private:
  VertexRef vertex_;
  std::string name_;
  std::size_t index_;
};

FieldRef VertexRef::operator[](StringRef field) const { return FieldRef(*this, field); }

} // namespace poplar

#endif
