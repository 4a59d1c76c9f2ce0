#ifndef popart_op_elementwise_hpp
#define popart_op_elementwise_hpp

#include <popart/op.hpp>

namespace popart {

// One input, one output of the same shape and type.
class ElementWiseUnaryOp : public Op {
public:
  ElementWiseUnaryOp(const OperatorIdentifier &opid, const Op::Settings &settings)
      : Op(opid, settings) {}
  void setup() final { outInfo(getOutIndex()) = inInfo(getInIndex()); }
  float getSubgraphValue() const override { return getLowSubgraphValue(); }
  static InIndex getInIndex() { return 0; }
  static OutIndex getOutIndex() { return 0; }
};

} // namespace popart

#endif
