// The ops that loaded libraries registered.
#ifndef registry_hpp
#define registry_hpp

#include <popart/opmanager.hpp>
#include <popart/popx/opxmanager.hpp>
#include <popart/shapeinference.hpp>

namespace popart {
namespace host {

struct RegisteredOp {
  OperatorIdentifier opid;
  OpManager::OpFactory factory;
  std::string library;
};
struct RegisteredOpx {
  OperatorIdentifier opid;
  popx::OpxManager::OpxFactory factory;
  std::string library;
};

// The one of `library`, or the last one if that is empty; null without one.
const RegisteredOp *findOp(const OperatorIdentifier &opid, const std::string &library);
const RegisteredOpx *findOpx(const OperatorIdentifier &opid, const std::string &library);
// "domain\ttype\tversion\tlibrary" of each.
std::vector<std::string> registeredOps();
const ShapeInferenceFunction *findInference(const OperatorIdentifier &opid);

} // namespace host
} // namespace popart

#endif
