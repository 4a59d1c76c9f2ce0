#include "core.hpp"

namespace poplar {
namespace program {

using core::Kind;
using core::Node;
using core::text;

namespace {

std::shared_ptr<Node> node(Kind kind, const DebugContext &name,
                           std::initializer_list<Tensor> tensors = {},
                           std::initializer_list<const Program *> children = {}) {
  auto result = std::make_shared<Node>();
  result->kind = kind;
  result->name = name.getPathName();
  for (const Tensor &tensor : tensors)
    result->tensors.push_back(std::make_shared<core::View>(tensor.view()));
  for (const Program *child : children)
    result->children.push_back(child->copy());
  return result;
}

void checkPredicate(const char *what, const Tensor &tensor, bool isBool = true) {
  if (tensor.numElements() != 1 || (isBool && tensor.elementType() != BOOL) ||
      (!isBool && tensor.elementType() != INT && tensor.elementType() != UNSIGNED_INT))
    throw control_program_error(text(what, ": the control tensor is ", tensor, "; accepted: one ",
                                     isBool ? "bool" : "int or unsigned int"));
}

} // namespace

Program::Program() : node_(std::make_shared<Node>()) {}

bool Program::isEmpty() const {
  return node_->kind == Kind::SEQUENCE && node_->children.empty();
}

std::shared_ptr<const Node> Program::copy() const {
  return node_->kind == Kind::SEQUENCE ? std::make_shared<const Node>(*node_) : node_;
}

Sequence::Sequence(const DebugContext &name) : Program(node(Kind::SEQUENCE, name)) {}

Sequence::Sequence(std::initializer_list<Program> programs, const DebugContext &name)
    : Sequence(name) {
  for (const Program &program : programs)
    add(program);
}

Sequence::Sequence(const Sequence &other) : Program(std::make_shared<Node>(*other.node_)) {}

Sequence &Sequence::operator=(const Sequence &other) {
  node_ = std::make_shared<Node>(*other.node_);
  return *this;
}

void Sequence::add(const Program &program) { node_->children.push_back(program.copy()); }

Execute::Execute(ComputeSet set, const DebugContext &name)
    : Program(node(Kind::EXECUTE, name)) {
  node_->number = set.getId();
}

Copy::Copy(Tensor source, Tensor destination, bool, const DebugContext &name)
    : Program(node(Kind::COPY, name, {source, destination})) {
  if (source.shape() != destination.shape() || source.elementType() != destination.elementType())
    throw control_program_error(text("Copy from ", source, " to ", destination,
                                     ": shapes and types must be equal"));
  if (!destination.isParallelWriteable())
    throw control_program_error(text("Copy to ", destination, ", which holds constants or one "
                                     "element twice"));
}

WriteUndef::WriteUndef(Tensor tensor, const DebugContext &name)
    : Program(node(Kind::UNDEFINED, name, {tensor})) {}

Repeat::Repeat(unsigned count, const Program &body, const DebugContext &name)
    : Program(node(Kind::REPEAT, name, {}, {&body})) {
  node_->number = count;
}

RepeatWhileTrue::RepeatWhileTrue(const Program &condition, Tensor predicate, const Program &body,
                                 const DebugContext &name)
    : Program(node(Kind::WHILE_TRUE, name, {predicate}, {&condition, &body})) {
  checkPredicate("RepeatWhileTrue", predicate);
}

RepeatWhileFalse::RepeatWhileFalse(const Program &condition, Tensor predicate, const Program &body,
                                   const DebugContext &name)
    : Program(node(Kind::WHILE_FALSE, name, {predicate}, {&condition, &body})) {
  checkPredicate("RepeatWhileFalse", predicate);
}

If::If(Tensor predicate, const Program &trueBody, const Program &falseBody,
       const DebugContext &name)
    : Program(node(Kind::IF, name, {predicate}, {&trueBody, &falseBody})) {
  checkPredicate("If", predicate);
}

Switch::Switch(Tensor control, const std::vector<std::pair<std::int32_t, Program>> &cases,
               const DebugContext &name)
    : Switch(control, cases, Sequence(), name) {}

Switch::Switch(Tensor control, const std::vector<std::pair<std::int32_t, Program>> &cases,
               const Program &defaultCase, const DebugContext &name)
    : Program(node(Kind::SWITCH, name, {control})) {
  checkPredicate("Switch", control, false);
  for (const auto &one : cases) {
    node_->cases.push_back(one.first);
    node_->children.push_back(one.second.copy());
  }
  node_->children.push_back(defaultCase.copy());
}

Call::Call(Function function, const DebugContext &name) : Program(node(Kind::CALL, name)) {
  node_->number = function.getId();
}

PrintTensor::PrintTensor(Tensor tensor, const DebugContext &name)
    : PrintTensor("", tensor, name) {}

PrintTensor::PrintTensor(StringRef title, Tensor tensor, const DebugContext &)
    : Program(node(Kind::PRINT, DebugContext(title), {tensor})) {}

AbortOnCondition::AbortOnCondition(Tensor predicate, std::string message, const DebugContext &)
    : Program(node(Kind::ABORT, DebugContext(message), {predicate})) {
  checkPredicate("AbortOnCondition", predicate);
}

ErrorProgram::ErrorProgram(StringRef message, Tensor tensor, const DebugContext &)
    : Program(node(Kind::ERROR, DebugContext(message), {tensor})) {}

Sync::Sync(int, const DebugContext &name) : Program(node(Kind::SEQUENCE, name)) {}

} // namespace program

namespace core {

program::Program hostProgram(const std::string &name, const std::vector<Tensor> &inputs,
                             const std::vector<Tensor> &outputs, HostFunction function,
                             bool inPlace) {
  auto node = std::make_shared<Node>();
  node->kind = Kind::HOST;
  node->name = name;
  node->inputs = inputs.size();
  for (const auto *list : {&inputs, &outputs})
    for (const Tensor &tensor : *list)
      node->tensors.push_back(std::make_shared<View>(tensor.view()));
  node->host = std::move(function);
  node->inPlace = inPlace;
  return program::Program(std::move(node));
}

} // namespace core
} // namespace poplar
