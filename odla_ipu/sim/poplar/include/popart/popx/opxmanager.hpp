#ifndef popart_popx_opxmanager_hpp
#define popart_popx_opxmanager_hpp

#include <functional>
#include <memory>
#include <vector>

#include <popart/operatoridentifier.hpp>
#include <popart/popx/opx.hpp>

namespace popart {
namespace popx {

class OpxManager {
public:
  using OpxFactory = std::function<std::unique_ptr<Opx>(Op *, Devicex *)>;

  // `address` lies in the library that holds the opx.
  static void registerOpx(const OperatorIdentifier &opid, OpxFactory factory,
                          const void *address);
};

template <class OPX> class OpxCreator {
public:
  OpxCreator(const OperatorIdentifier &opid) { add(opid); }
  OpxCreator(const std::vector<OperatorIdentifier> &opids) {
    for (const OperatorIdentifier &opid : opids)
      add(opid);
  }

private:
  void add(const OperatorIdentifier &opid) {
    OpxManager::registerOpx(
        opid,
        [](Op *op, Devicex *device) -> std::unique_ptr<Opx> {
          return std::unique_ptr<Opx>(new OPX(op, device));
        },
        this);
  }
};

} // namespace popx
} // namespace popart

#endif
