// An op whose attribute `which` says what its one or more inputs become.
#ifndef op_header_hpp
#define op_header_hpp

#include <functional>
#include <map>

#include <popart/op.hpp>
#include <popart/opmanager.hpp>
#include <popart/popx/opx.hpp>
#include <popart/popx/opxmanager.hpp>
#include <poplar/Graph.hpp>
#include <poplar/Program.hpp>
#include <poputil/TileMapping.hpp>

using namespace poplar;
using namespace poplar::program;
using std::vector;

namespace {

struct TestOp : popart::Op {
  explicit TestOp(const popart::OpCreatorInfo &info)
      : popart::Op(info.opid, info.settings),
        which(info.attributes.getAttribute<popart::Attributes::String>("which")),
        shape(info.attributes.getAttribute<popart::Attributes::Ints>("shape", {})),
        type(info.attributes.getAttribute<popart::Attributes::String>("type", "FLOAT")) {}
  std::unique_ptr<popart::Op> clone() const override { return std::make_unique<TestOp>(*this); }
  float getSubgraphValue() const override { return getLowSubgraphValue(); }
  void setup() override { outInfo(0) = popart::TensorInfo(type, shape); }
  std::string which;
  popart::Shape shape;
  std::string type;
};

using Inputs = std::vector<Tensor>;
using Function = std::function<Tensor(Graph &, Sequence &, const Inputs &)>;
std::map<std::string, Function> functions();

struct TestOpx : popart::popx::Opx {
  TestOpx(popart::Op *op, popart::popx::Devicex *device) : Opx(op, device) {
    verifyOp<TestOp>(op, op->opid);
  }
  void grow(Sequence &prog) const override {
    Inputs inputs;
    for (int i = 0; hasInput(i); ++i)
      inputs.push_back(getInTensor(i));
    setOutTensor(0, functions().at(getOp<TestOp>().which)(graph(), prog, inputs));
  }
};

} // namespace

#define TEST_OP(name)                                                                              \
  namespace {                                                                                      \
  const popart::OperatorIdentifier id("test.ops", name, 1);                                        \
  popart::OpCreator<TestOp> creator(                                                               \
      popart::OpDefinitions({{id, popart::OpDefinition()}}),                                       \
      [](const popart::OpCreatorInfo &info) { return std::make_unique<TestOp>(info); }, true);     \
  popart::popx::OpxCreator<TestOpx> opx(id);                                                       \
  }

#endif
