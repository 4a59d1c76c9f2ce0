// How a custom op becomes vertices, mapping and program.
#ifndef popart_popx_opx_hpp
#define popart_popx_opx_hpp

#include <map>
#include <set>
#include <string>
#include <vector>

#include <popart/op.hpp>
#include <popart/popx/devicex.hpp>
#include <poplar/DebugContext.hpp>
#include <poplar/Graph.hpp>
#include <poplar/Program.hpp>
#include <poplar/Tensor.hpp>

namespace popart {
namespace popx {

enum class InputCreatorType { Deadend = 0, CanCreate, CanUnwind, CanCreateOrUnwind,
                              CanDelegate, CanDelegateOrUnwind };

class Opx {
public:
  Opx(Op *op, Devicex *device);
  virtual ~Opx();

  virtual void grow(poplar::program::Sequence &) const;
  virtual InputCreatorType getInputCreatorType(InIndex) const;
  virtual poplar::Tensor createInput(InIndex, const poplar::DebugNameAndId &) const;
  virtual std::set<TensorId> mustExistBeforeCreate(InIndex) const;
  virtual poplar::Tensor unwindTensorLayout(poplar::Tensor, InIndex, OutIndex) const;
  virtual view::RegMap unwindRegion(InIndex, OutIndex) const;

  poplar::Graph &graph() const { return device_->graph(); }
  const poplar::Tensor &getInTensor(InIndex index) const;
  const poplar::Tensor &getOutTensor(OutIndex index) const;
  void setOutTensor(OutIndex index, const poplar::Tensor &tensor) const;
  poplar::Tensor cloneNcopy(poplar::program::Sequence &, const poplar::Tensor &) const;
  poplar::Tensor cloneNcopy(poplar::program::Sequence &, const poplar::Tensor &,
                            const std::string &name) const;
  poplar::Tensor broadcast(const std::vector<std::int64_t> &shape, poplar::Tensor tensor) const;
  poplar::Tensor getConst(const poplar::Type &type, const std::vector<std::size_t> &shape,
                          double value, const std::string &name) const;
  poplar::Tensor getScalarVariable(const poplar::Type &type, const std::string &name) const;
  poplar::Tensor getZerosTensor(std::vector<std::size_t> shape, poplar::Type type,
                                std::string name) const;

  const TensorInfo &inInfo(InIndex index) const { return op_p->inInfo(index); }
  const TensorInfo &outInfo(OutIndex index) const { return op_p->outInfo(index); }
  const Shape &inShape(InIndex index) const { return op_p->inShape(index); }
  const Shape &outShape(OutIndex index) const { return op_p->outShape(index); }
  std::vector<std::size_t> inShapeSzt(InIndex index) const { return inInfo(index).shape_szt(); }
  std::vector<std::size_t> outShapeSzt(OutIndex index) const {
    return outInfo(index).shape_szt();
  }
  bool hasInput(InIndex index) const { return op_p->hasInput(index); }
  bool hasOutput(OutIndex index) const { return op_p->hasOutput(index); }
  TensorId inId(InIndex index) const { return op_p->inId(index); }
  TensorId outId(OutIndex index) const { return op_p->outId(index); }
  Devicex *getDevicex() const { return device_; }

  poplar::DebugContext debugContext(const std::string &name = "") const;
  const poplar::DebugNameAndId getDebugNameAndId(const std::string &name = "") const;

  template <class OP> OP &getOp() const {
    OP *op = dynamic_cast<OP *>(op_p);
    if (!op)
      throw error("{} is not of the class that its Opx asks for", op_p->debugName());
    return *op;
  }
  template <class OP> void verifyOp(Op *op, const OperatorIdentifier &opid) const {
    if (op->opid != opid)
      throw error("Cannot create opx for {} from {}", opid, op->opid);
    verifyOp<OP>(op);
  }
  template <class OP>
  void verifyOp(Op *op, const std::vector<OperatorIdentifier> &opids) const {
    bool isOne = false;
    for (const OperatorIdentifier &opid : opids)
      isOne = isOne || op->opid == opid;
    if (!isOne)
      throw error("Cannot create opx from {}", op->opid);
    verifyOp<OP>(op);
  }
  template <class OP> void verifyOp(Op *op) const {
    if (!dynamic_cast<OP *>(op))
      throw error("Cannot create opx from {}: it is of another class", op->opid);
  }

  void setInTensor(InIndex index, const poplar::Tensor &tensor) { inputs_[index] = tensor; }
  const std::map<OutIndex, poplar::Tensor> &outTensors() const { return outputs_; }

  Op *op_p;

private:
  Devicex *device_;
  std::map<InIndex, poplar::Tensor> inputs_;
  mutable std::map<OutIndex, poplar::Tensor> outputs_;
};

} // namespace popx
} // namespace popart

#endif
