#ifndef popart_op_custom_parameterizedop_hpp
#define popart_op_custom_parameterizedop_hpp

#include <popart/opmanager.hpp>

namespace popart {

// An op whose attributes are a struct: Params has appendAttributes and makeFromAttributes.
template <class Derived, class Params> class ParameterizedOp : public Op {
public:
  using ParamsT = Params;

  ParameterizedOp(const OperatorIdentifier &opid, const ParamsT &params,
                  const Op::Settings &settings)
      : Op(opid, settings), params_(params) {}

  const ParamsT &params() const { return params_; }
  std::unique_ptr<Op> clone() const override {
    return std::make_unique<Derived>(static_cast<const Derived &>(*this));
  }
  void appendAttributes(OpSerialiserBase &os) const override {
    Op::appendAttributes(os);
    params_.appendAttributes(os);
  }
  void appendOutlineAttributes(OpSerialiserBase &os) const override {
    Op::appendOutlineAttributes(os);
    params_.appendAttributes(os);
  }
  float getSubgraphValue() const override { return getLowSubgraphValue(); }

  static std::unique_ptr<Op> createOp(const OpCreatorInfo &info) {
    return std::make_unique<Derived>(info.opid, ParamsT::makeFromAttributes(info.attributes),
                                     info.settings);
  }

private:
  ParamsT params_;
};

} // namespace popart

#endif
