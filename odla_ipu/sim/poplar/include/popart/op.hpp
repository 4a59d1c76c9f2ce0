// A custom op: its attributes and the shapes and types of its outputs.
#ifndef popart_op_hpp
#define popart_op_hpp

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <popart/attributes.hpp>
#include <popart/error.hpp>
#include <popart/names.hpp>
#include <popart/operatoridentifier.hpp>
#include <popart/opserialiser.hpp>
#include <popart/region.hpp>
#include <popart/tensorinfo.hpp>

namespace popart {

class AliasModel;
class Graph;

enum class GradOpInType { In = 0, Out, GradOut };

class GradInOutMapper {
public:
  GradInOutMapper(InIndex grad, int fwd, GradOpInType type)
      : iGrad(grad), iNonGrad(fwd), type(type) {}
  InIndex iGrad;
  int iNonGrad;
  GradOpInType type;
};

// A tensor as an op sees it.
struct Tensor {
  TensorId id;
  TensorInfo info;
};

class Op {
public:
  struct Settings {
    std::string name;
    std::string debugInfoName() const { return name; }
    const std::string &getName() const { return name; }
  };

  Op(const OperatorIdentifier &opid, const Settings &settings);
  virtual ~Op();

  virtual std::unique_ptr<Op> clone() const = 0;
  virtual float getSubgraphValue() const = 0;
  virtual void setup();
  virtual void appendAttributes(OpSerialiserBase &) const;
  virtual void appendOutlineAttributes(OpSerialiserBase &) const;
  virtual std::vector<std::unique_ptr<Op>> getGradOps();
  virtual const std::vector<GradInOutMapper> &gradInputInfo() const;
  virtual const std::map<int, int> &gradOutToNonGradIn() const;
  virtual bool requiresRandomSeed() const;
  virtual InIndex getSeedInIndex() const;
  virtual std::set<InIndex> optionalInputs() const;
  virtual std::vector<std::tuple<OperatorIdentifier, float>> inplacePriorityDefault() const;
  virtual std::unique_ptr<Op> getInplaceVariant(const OperatorIdentifier &) const;
  virtual void growAliasModel(AliasModel &) const;
  virtual view::Regions modifies(InIndex) const;
  virtual view::Regions aliases(InIndex, OutIndex) const;
  virtual view::RegMap fwdRegMap(InIndex, OutIndex) const;
  virtual view::RegMap bwdRegMap(InIndex, OutIndex) const;
  virtual bool hasSideEffect() const { return false; }
  virtual bool isOutlineable() const { return true; }
  virtual bool canShard() const { return false; }
  virtual bool canBeReplacedByIdentity() const { return false; }
  virtual std::string debugName() const;

  const TensorInfo &inInfo(InIndex index) const;
  TensorInfo &outInfo(OutIndex index);
  const TensorInfo &outInfo(OutIndex index) const;
  const Shape &inShape(InIndex index) const { return inInfo(index).shape(); }
  const Shape &outShape(OutIndex index) const { return outInfo(index).shape(); }
  Rank inRank(InIndex index) const { return inInfo(index).rank(); }
  Rank outRank(OutIndex index) const { return outInfo(index).rank(); }
  bool hasInput(InIndex index) const { return inputs_.count(index) != 0; }
  bool hasOutput(OutIndex index) const { return outputs_.count(index) != 0; }
  const Tensor *inTensor(InIndex index) const;
  TensorId inId(InIndex index) const;
  TensorId outId(OutIndex index) const;
  const std::string &name() const { return settings.name; }
  const Settings &getSettings() const { return settings; }
  std::string str() const { return debugName(); }

  static float getLowSubgraphValue() { return 0.1f; }
  static float getHighSubgraphValue() { return 1000.0f; }

  OperatorIdentifier opid;
  Settings settings;
  OpId id = 0;

  void connectInput(InIndex index, const Tensor &tensor) { inputs_[index] = tensor; }
  const std::map<OutIndex, TensorInfo> &outputs() const { return outputs_; }

private:
  std::map<InIndex, Tensor> inputs_;
  std::map<OutIndex, TensorInfo> outputs_;
};

} // namespace popart

#endif
