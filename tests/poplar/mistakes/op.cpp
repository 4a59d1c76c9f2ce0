// An op that makes the mistake which its attribute names.
#include <popart/op.hpp>
#include <popart/opmanager.hpp>
#include <popart/popx/opx.hpp>
#include <popart/popx/opxmanager.hpp>
#include <poplar/Graph.hpp>
#include <poplar/Program.hpp>

using namespace poplar;
using namespace poplar::program;

namespace {

const popart::OperatorIdentifier id("test.ops", "Mistake", 1);

struct MistakeOp : popart::Op {
  explicit MistakeOp(const popart::OpCreatorInfo &info)
      : popart::Op(info.opid, info.settings),
        which(info.attributes.getAttribute<popart::Attributes::String>("which")) {
    if (which == "alpha")
      info.attributes.getAttribute<popart::Attributes::Float>("alpha");
  }
  std::unique_ptr<popart::Op> clone() const override { return std::make_unique<MistakeOp>(*this); }
  float getSubgraphValue() const override { return getLowSubgraphValue(); }
  void setup() override {
    if (which == "setup throws")
      throw popart::error("takes {} only, not {}", "FLOAT16", inInfo(0));
    if (which != "setup sets nothing")
      outInfo(0) = inInfo(0);
  }
  std::string which;
};

struct MistakeOpx : popart::popx::Opx {
  MistakeOpx(popart::Op *op, popart::popx::Devicex *device) : Opx(op, device) {
    verifyOp<MistakeOp>(op, id);
  }

  void grow(Sequence &prog) const override {
    const std::string which = getOp<MistakeOp>().which;
    const Tensor in = getInTensor(0);
    if (which == "alpha")
      return setOutTensor(0, in);
    if (which == "no output")
      return;
    if (which == "output of another shape")
      return setOutTensor(0, in[0]);
    if (which == "unmapped") {
      const Tensor lost = graph().addVariable(FLOAT, {8}, "lost");
      prog.add(Copy(in, lost));
      return setOutTensor(0, lost);
    }
    if (which == "doubly mapped") {
      const Tensor twice = graph().addVariable(FLOAT, {8});
      graph().setTileMapping(twice, {{Interval(0, 5)}, {Interval(4, 8)}});
      return setOutTensor(0, twice);
    }
    if (which == "aborts") {
      const Tensor yes = graph().addConstant(BOOL, {}, true);
      graph().setTileMapping(yes, 0);
      prog.add(AbortOnCondition(yes, "no convergence"));
      return setOutTensor(0, in);
    }
    const Tensor out = graph().clone(in);
    const auto set = graph().addComputeSet("copy");
    const std::map<std::string, std::string> wild = {
        {"writes past", "WritesPast"}, {"crashes", "Crashes"}, {"never ends", "NeverEnds"}};
    if (wild.count(which)) {
      const auto v = graph().addVertex(set, wild.at(which), {{"out", out}});
      graph().setTileMapping(v, 3);
    } else {
      for (unsigned tile = 0; tile != 2; ++tile)
        addCopy(which, set, tile, in, out);
    }
    prog.add(Execute(set));
    setOutTensor(0, out);
  }

  void addCopy(const std::string &which, ComputeSet set, unsigned tile, const Tensor &in,
               const Tensor &out) const {
    const auto v = graph().addVertex(set, which == "unknown codelet" ? "CopyPort" : "CopyPart");
    Tensor from = in.slice(4 * tile, 4 * tile + 4), to = out.slice(4 * tile, 4 * tile + 4);
    if (which == "reads what another writes" && tile == 1)
      from = out.slice(0, 4);
    if (which == "edge of another type")
      from = from.reinterpret(INT);
    if (which == "two writers")
      to = out.slice(3 * tile, 3 * tile + 4);
    if (which == "unwritten")
      to = to.slice(0, 3);
    graph().connect(v["in"], from);
    if (which != "unconnected")
      graph().connect(v["out"], to);
    graph().setInitialValue(v[which == "unknown field" ? "form" : "from"],
                            which == "reads past" ? tile : 0u);
    if (which != "vertex without a tile")
      graph().setTileMapping(v, tile);
  }
};

popart::OpCreator<MistakeOp> creator(
    popart::OpDefinitions({{id, popart::OpDefinition()}}),
    [](const popart::OpCreatorInfo &info) { return std::make_unique<MistakeOp>(info); }, true);
popart::popx::OpxCreator<MistakeOpx> opx(id);

} // namespace
