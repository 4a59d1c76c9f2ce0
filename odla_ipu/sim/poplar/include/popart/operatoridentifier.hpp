#ifndef popart_operatoridentifier_hpp
#define popart_operatoridentifier_hpp

#include <iosfwd>
#include <string>
#include <tuple>

#include <popart/names.hpp>

namespace popart {

struct NumInputs {
  int min, max;
  NumInputs() : min(0), max(0) {}
  NumInputs(int count) : min(count), max(count) {}
  NumInputs(int min, int max) : min(min), max(max) {}
};

struct OperatorIdentifier {
  OperatorIdentifier(const OpDomain &domain, const OpType &type, OpVersion version,
                     NumInputs inputs = {}, int outputs = 0)
      : domain(domain), type(type), version(version), numInputs(inputs), numOutputs(outputs) {}

  bool operator==(const OperatorIdentifier &other) const {
    return std::tie(domain, type, version) == std::tie(other.domain, other.type, other.version);
  }
  bool operator!=(const OperatorIdentifier &other) const { return !(*this == other); }
  bool operator<(const OperatorIdentifier &other) const {
    return std::tie(domain, type, version) < std::tie(other.domain, other.type, other.version);
  }

  OpDomain domain;
  OpType type;
  OpVersion version;
  NumInputs numInputs;
  int numOutputs;
};

std::ostream &operator<<(std::ostream &, const OperatorIdentifier &);

using AiOnnxOperatorIdentifierV1 = OperatorIdentifier;

} // namespace popart

#endif
