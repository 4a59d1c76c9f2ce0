#ifndef popart_popx_op_elementwisex_hpp
#define popart_popx_op_elementwisex_hpp

#include <popart/op/elementwise.hpp>
#include <popart/popx/opx.hpp>

namespace popart {
namespace popx {

class ElementWiseUnaryOpx : public Opx {
public:
  ElementWiseUnaryOpx(Op *op, Devicex *device) : Opx(op, device) {}
  InputCreatorType getInputCreatorType(InIndex) const override {
    return InputCreatorType::CanUnwind;
  }
  poplar::Tensor unwindTensorLayout(poplar::Tensor tensor, InIndex, OutIndex) const override {
    return tensor;
  }
  view::RegMap unwindRegion(InIndex, OutIndex) const override {
    return [](const view::Region &region) { return view::Regions(1, region); };
  }
};

} // namespace popx
} // namespace popart

#endif
