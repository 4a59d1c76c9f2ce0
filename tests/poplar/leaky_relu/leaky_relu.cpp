// The op around it: forward and gradient, registered by static objects.
#include <memory>
#include <string>
#include <vector>

#include <popart/op.hpp>
#include <popart/opmanager.hpp>
#include <popart/opserialiser.hpp>
#include <popart/popx/devicex.hpp>
#include <popart/popx/opx.hpp>
#include <popart/popx/opxmanager.hpp>
#include <popart/shapeinference.hpp>
#include <popart/tensorinfo.hpp>

#include <poplar/Graph.hpp>
#include <poplar/Program.hpp>
#include <poplar/Tensor.hpp>
#include <poputil/TileMapping.hpp>
#include <poputil/VertexTemplates.hpp>

namespace CustomOperators {
const popart::OperatorIdentifier LeakyReluId = {"acme.ops", "LeakyRelu", 1};
const popart::OperatorIdentifier LeakyReluGradId = {"acme.ops", "LeakyReluGrad", 1};
} // namespace CustomOperators

class LeakyReluOp;

class LeakyReluGradOp : public popart::Op {
public:
  explicit LeakyReluGradOp(const LeakyReluOp &forward);

  std::unique_ptr<popart::Op> clone() const final {
    return std::make_unique<LeakyReluGradOp>(*this);
  }
  void setup() final { outInfo(0) = inInfo(0); }
  const std::vector<popart::GradInOutMapper> &gradInputInfo() const override {
    static const std::vector<popart::GradInOutMapper> info = {
        {0, 0, popart::GradOpInType::GradOut}, {1, 0, popart::GradOpInType::In}};
    return info;
  }
  const std::map<int, int> &gradOutToNonGradIn() const override {
    static const std::map<int, int> info = {{0, 0}};
    return info;
  }
  float getSubgraphValue() const final { return getHighSubgraphValue(); }
  float getAlpha() const { return alpha; }
  void appendAttributes(popart::OpSerialiserBase &os) const override {
    popart::Op::appendAttributes(os);
    os.appendAttribute("alpha", alpha);
  }

private:
  float alpha;
};

class LeakyReluOp : public popart::Op {
public:
  LeakyReluOp(const popart::OperatorIdentifier &opid, float alpha,
              const popart::Op::Settings &settings)
      : popart::Op(opid, settings), alpha(alpha) {}

  std::unique_ptr<popart::Op> clone() const final { return std::make_unique<LeakyReluOp>(*this); }
  void setup() final {
    if (inInfo(0).dataType() != popart::DataType::FLOAT &&
        inInfo(0).dataType() != popart::DataType::FLOAT16)
      throw popart::error("LeakyRelu takes FLOAT and FLOAT16, not {}", inInfo(0).data_type());
    outInfo(0) = inInfo(0);
  }
  void appendAttributes(popart::OpSerialiserBase &os) const override {
    popart::Op::appendAttributes(os);
    os.appendAttribute("alpha", getAlpha());
  }
  void appendOutlineAttributes(popart::OpSerialiserBase &os) const override {
    popart::Op::appendOutlineAttributes(os);
    os.appendAttribute("alpha", getAlpha());
  }
  std::vector<std::unique_ptr<popart::Op>> getGradOps() {
    std::vector<std::unique_ptr<popart::Op>> upops;
    upops.emplace_back(new LeakyReluGradOp(*this));
    return upops;
  }
  float getSubgraphValue() const final { return getHighSubgraphValue(); }
  bool requiresRandomSeed() const override { return false; }
  float getAlpha() const { return alpha; }

private:
  float alpha;
};

LeakyReluGradOp::LeakyReluGradOp(const LeakyReluOp &forward)
    : popart::Op(CustomOperators::LeakyReluGradId, forward.settings), alpha(forward.getAlpha()) {}

static popart::OpDefinition::DataTypes T = {popart::DataType::FLOAT16, popart::DataType::FLOAT};

static popart::OpDefinition
    leakyReluOpDef({popart::OpDefinition::Inputs({{"input", T}}),
                    popart::OpDefinition::Outputs({{"output", T}}),
                    popart::OpDefinition::Attributes({{"alpha", {"*"}}})});

static popart::OpCreator<LeakyReluOp> leakyReluOpCreator(
    popart::OpDefinitions({{CustomOperators::LeakyReluId, leakyReluOpDef}}),
    [](const popart::OpCreatorInfo &info) {
      float alpha = info.attributes.getAttribute<popart::Attributes::Float>("alpha", 1e-2f);
      return std::make_unique<LeakyReluOp>(info.opid, alpha, info.settings);
    },
    true);

namespace pe = poplar::program;

class LeakyReluOpx : public popart::popx::Opx {
public:
  LeakyReluOpx(popart::Op *op, popart::popx::Devicex *devicex) : popart::popx::Opx(op, devicex) {
    verifyOp<LeakyReluOp>(op, {CustomOperators::LeakyReluId});
    graph().addCodelets("leaky_relu_codelet.gp");
  }

  void grow(pe::Sequence &prog) const final {
    auto op = getOp<LeakyReluOp>();
    poplar::Tensor input = getInTensor(0);
    poplar::Tensor output = graph().clone(input, debugContext("output"));
    const auto set = graph().addComputeSet(debugContext("LeakyRelu"));
    const auto mapping = graph().getTileMapping(input);
    const auto flatIn = input.flatten(), flatOut = output.flatten();
    const auto name = poputil::templateVertex("acme::LeakyReluVertex", input.elementType());
    for (unsigned tile = 0; tile < mapping.size(); ++tile) {
      if (mapping[tile].empty())
        continue;
      auto vertex = graph().addVertex(set, name,
                                      {{"in", concat(flatIn.slices(mapping[tile]))},
                                       {"out", concat(flatOut.slices(mapping[tile]))}});
      graph().setInitialValue(vertex["alpha"], op.getAlpha());
      graph().setTileMapping(vertex, tile);
    }
    prog.add(pe::Execute(set, debugContext("LeakyRelu")));
    setOutTensor(0, output);
  }
};

class LeakyReluGradOpx : public popart::popx::Opx {
public:
  LeakyReluGradOpx(popart::Op *op, popart::popx::Devicex *devicex)
      : popart::popx::Opx(op, devicex) {
    verifyOp<LeakyReluGradOp>(op, CustomOperators::LeakyReluGradId);
  }

  void grow(pe::Sequence &prog) const final {
    auto &op = getOp<LeakyReluGradOp>();
    poplar::Tensor grad = getInTensor(0).flatten(), input = getInTensor(1).flatten();
    poplar::Tensor output = graph().clone(getInTensor(0));
    const auto set = graph().addComputeSet("LeakyReluGrad");
    const auto mapping = graph().getTileMapping(grad);
    for (unsigned tile = 0; tile < mapping.size(); ++tile)
      for (const auto &interval : mapping[tile]) {
        auto vertex = graph().addVertex(
            set, poputil::templateVertex("acme::LeakyReluGradVertex", grad.elementType()));
        graph().connect(vertex["grad"], grad.slice(interval));
        graph().connect(vertex["in"], input.slice(interval));
        graph().connect(vertex["out"], output.flatten().slice(interval));
        graph().setInitialValue(vertex["size"], interval.size());
        graph().setInitialValue(vertex["alpha"], op.getAlpha());
        graph().setTileMapping(vertex, tile);
      }
    prog.add(pe::Execute(set));
    setOutTensor(0, output);
  }
};

static popart::popx::OpxCreator<LeakyReluOpx> leakyReluOpxCreator({CustomOperators::LeakyReluId});
static popart::popx::OpxCreator<LeakyReluGradOpx>
    leakyReluGradOpxCreator({CustomOperators::LeakyReluGradId});

static popart::RegisterShapeInferenceFunction
    leakyReluShape(CustomOperators::LeakyReluId,
                   [](popart::ShapeInferenceContext &ctx) { ctx.outInfo(0) = ctx.inInfo(0); });
