// Vertices with every kind of field, and control programs around them.
#include "../op_header.hpp"

#include <popops/Loop.hpp>
#include <poputil/VertexTemplates.hpp>

TEST_OP("Fields")

namespace {

Tensor mapped(Graph &g, const Type &type, ArrayRef<size_t> shape) {
  const Tensor made = g.addVariable(type, shape);
  poputil::mapTensorLinearly(g, made);
  return made;
}

// Adds 1 to an unsigned int.
Execute increment(Graph &g, const Tensor &value) {
  const auto set = g.addComputeSet("increment");
  const auto v = g.addVertex(set, "Supervised", {{"value", value}});
  g.setTileMapping(v, 1);
  return Execute(set);
}

Tensor counter(Graph &g, unsigned start) {
  const Tensor value = mapped(g, UNSIGNED_INT, {});
  g.setInitialValue(value, start);
  return value;
}

Tensor everything(Graph &g, Sequence &prog, const Tensor &in, const std::string &name) {
  const Type type = in.elementType();
  const Tensor out = mapped(g, type, {in.numElements()}), sum = mapped(g, type, {1});
  const Tensor count = mapped(g, type, {3});
  g.setInitialValue(count, 10);
  const auto set = g.addComputeSet("everything");
  const auto v = g.addVertex(set, name);
  g.connect(v["in"], in.reverse(0)); // not contiguous
  g.connect(v["first"], in[0]);
  g.connect(v["second"], in[1]);
  g.connect(v["out"], out);
  g.connect(v["sum"], sum[0]);
  g.connect(v["counter"], count.subSample(2, 0));
  g.setInitialValue(v["scale"], 2);
  g.setInitialValue(v["isOn"], true);
  g.setInitialValue(v["table"], vector<size_t>{1, 2, 3});
  g.setInitialValue(v["addend"], 5);
  g.setTileMapping(v, 2);
  prog.add(Repeat(3, Execute(set)));
  return concat(vector<Tensor>{out, sum, count});
}

std::map<std::string, Function> functions() {
  return {
      {"float", [](Graph &g, Sequence &prog, const Inputs &in) {
         return everything(g, prog, in[0],
                           "outer::inner::Everything<float, true, 3u, Way::TWICE>");
       }},
      {"int", [](Graph &g, Sequence &prog, const Inputs &in) {
         return everything(g, prog, in[0],
                           poputil::templateVertex("outer::inner::Everything", INT, false, 1,
                                                   "Way::PLAIN"));
       }},
      {"lists", [](Graph &g, Sequence &prog, const Inputs &in) {
         const Tensor out = mapped(g, FLOAT, {2, 3}), total = mapped(g, INT, {1});
         const auto set = g.addComputeSet("lists");
         const auto v = g.addVertex(set, "Lists");
         g.connect(v["rows"], in[0]);
         g.setFieldSize(v["outs"], 2);
         g.connect(v["outs"][0], out[0]);
         g.connect(v["outs"][1], out[1]);
         g.connect(v["jagged"], vector<Tensor>{in[1].slice(0, 1), in[1].slice(1, 4)});
         g.connect(v["scalars"], in[1].slice(2, 4));
         g.connect(v["total"], total[0]);
         g.setTileMapping(v, 0);
         prog.add(Execute(set));
         return concat(out.flatten(), total.reinterpret(FLOAT));
       }},
      {"workers", [](Graph &g, Sequence &prog, const Inputs &in) {
         const Tensor out = mapped(g, HALF, in[0].shape());
         const auto set = g.addComputeSet("workers");
         const auto v = g.addVertex(set, "EachWorker", {{"in", in[0]}, {"out", out}});
         g.setTileMapping(v, 0);
         prog.add(Execute(set));
         return out;
       }},
      {"control", [](Graph &g, Sequence &prog, const Inputs &in) {
         // in: a bool, an int
         vector<Tensor> counters;
         for (unsigned i = 0; i != 7; ++i)
           counters.push_back(counter(g, 0));
         prog.add(If(in[0][0], increment(g, counters[0]), Sequence()));
         prog.add(If(in[0][1], increment(g, counters[1]), Repeat(5, increment(g, counters[1]))));
         prog.add(Switch(in[1][0], {{3, increment(g, counters[2])},
                                    {4, Repeat(2, increment(g, counters[2]))}},
                         Repeat(9, increment(g, counters[2]))));
         const poplar::Function twice = g.addFunction(Repeat(2, increment(g, counters[3])));
         prog.add(Call(twice));
         prog.add(Call(twice));
         Sequence body({increment(g, counters[4])});
         Sequence condition;
         const Tensor flag = mapped(g, BOOL, {});
         prog.add(Copy(in[0][0], flag));
         body.add(Copy(in[0][1], flag)); // false: once
         prog.add(RepeatWhileTrue(condition, flag, body));
         Sequence after;
         prog.add(after);
         after.add(increment(g, counters[5])); // too late: programs are added by value
         prog.add(popops::countedLoop(g, 2, 8, 3, [&](const Tensor &index) {
           Sequence loop;
           loop.add(Copy(index.reshape({}), counters[6]));
           loop.add(increment(g, counters[6]));
           return loop;
         }));
         prog.add(PrintTensor("counter", counters[0]));
         for (Tensor &one : counters)
           one = one.reshape({1});
         return concat(counters);
       }},
  };
}

} // namespace
