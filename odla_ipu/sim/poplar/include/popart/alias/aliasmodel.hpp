#ifndef popart_alias_aliasmodel_hpp
#define popart_alias_aliasmodel_hpp

#include <popart/op.hpp>

namespace popart {

// In-place variants are never chosen on the host; the model only has to be there.
class AliasModel {
public:
  void insertUnaryModifier(const Op &, InIndex) {}
  void insertUnaryModifier0(const Op &) {}
};

} // namespace popart

#endif
