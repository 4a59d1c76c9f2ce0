// Control programs.
#ifndef poplar_Program_hpp
#define poplar_Program_hpp

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <poplar/DebugContext.hpp>
#include <poplar/GraphElements.hpp>
#include <poplar/StringRef.hpp>
#include <poplar/Tensor.hpp>

namespace poplar {

namespace core {
struct Node;
}

namespace program {

class Program {
public:
  Program();
  explicit Program(std::shared_ptr<core::Node> node) : node_(std::move(node)) {}
  bool isEmpty() const;
  std::shared_ptr<const core::Node> copy() const; // what it holds now

protected:
  std::shared_ptr<core::Node> node_;
};

class Sequence : public Program {
public:
  Sequence(const DebugContext & = {});
  Sequence(std::initializer_list<Program> programs, const DebugContext & = {});
  Sequence(const Sequence &other);
  Sequence &operator=(const Sequence &other);
  Sequence(Sequence &&) = default;
  Sequence &operator=(Sequence &&) = default;
  void add(const Program &program);
  void add_back(const Program &program) { add(program); }
};

class Execute : public Program {
public:
  explicit Execute(ComputeSet set, const DebugContext & = {});
};

class Copy : public Program {
public:
  Copy(Tensor source, Tensor destination, bool dontOutline = false, const DebugContext & = {});
};

class WriteUndef : public Program {
public:
  explicit WriteUndef(Tensor tensor, const DebugContext & = {});
};

class Repeat : public Program {
public:
  Repeat(unsigned count, const Program &body, const DebugContext & = {});
};

class RepeatWhileTrue : public Program {
public:
  RepeatWhileTrue(const Program &condition, Tensor predicate, const Program &body,
                  const DebugContext & = {});
};

class RepeatWhileFalse : public Program {
public:
  RepeatWhileFalse(const Program &condition, Tensor predicate, const Program &body,
                   const DebugContext & = {});
};

class If : public Program {
public:
  If(Tensor predicate, const Program &trueBody, const Program &falseBody,
     const DebugContext & = {});
};

class Switch : public Program {
public:
  Switch(Tensor control, const std::vector<std::pair<std::int32_t, Program>> &cases,
         const DebugContext & = {});
  Switch(Tensor control, const std::vector<std::pair<std::int32_t, Program>> &cases,
         const Program &defaultCase, const DebugContext & = {});
};

class Call : public Program {
public:
  explicit Call(Function function, const DebugContext & = {});
};

class PrintTensor : public Program {
public:
  explicit PrintTensor(Tensor tensor, const DebugContext & = {});
  PrintTensor(StringRef title, Tensor tensor, const DebugContext & = {});
};

class AbortOnCondition : public Program {
public:
  AbortOnCondition(Tensor predicate, std::string message, const DebugContext & = {});
};

class ErrorProgram : public Program {
public:
  ErrorProgram(StringRef message, Tensor tensor, const DebugContext & = {});
};

class Sync : public Program {
public:
  explicit Sync(int type, const DebugContext & = {});
};

} // namespace program
} // namespace poplar

#endif
