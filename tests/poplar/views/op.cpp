// Views of one tensor x of shape {2, 3, 4}.
#include "../op_header.hpp"

TEST_OP("View")

namespace {

Tensor mapped(Graph &g, const Type &type, ArrayRef<size_t> shape) {
  const Tensor made = g.addVariable(type, shape);
  poputil::mapTensorLinearly(g, made);
  return made;
}

std::map<std::string, Function> functions() {
#define VIEW [](Graph &, Sequence &, const Inputs &in) -> Tensor
  return {
      {"index", VIEW { return in[0][1][2]; }},
      {"index list", VIEW { return in[0].index({1, 2}); }},
      {"slice", VIEW { return in[0].slice(1, 3, 2); }},
      {"slice two", VIEW { return in[0].slice({0, 1}, {1, 3}); }},
      {"slices", VIEW { return concat(in[0].slices({Interval(2, 3), Interval(0, 2)}, 1), 1); }},
      {"flatten", VIEW { return in[0].flatten(); }},
      {"flatten part", VIEW { return in[0].flatten(1, 3); }},
      {"reshape", VIEW { return in[0].reshape({4, 6}); }},
      {"reshape part", VIEW { return in[0].reshapePartial(2, 3, {2, 2}); }},
      {"shuffle", VIEW { return in[0].dimShuffle({2, 0, 1}); }},
      {"shuffle then reshape", VIEW { return in[0].dimShuffle({2, 0, 1}).reshape({3, 8}); }},
      {"shuffle part", VIEW { return in[0].dimShufflePartial({0}, {2}); }},
      {"roll", VIEW { return in[0].dimRoll(2); }},
      {"roll to", VIEW { return in[0].dimRoll(0, 1); }},
      {"transpose", VIEW { return in[0].transpose(); }},
      {"expand", VIEW { return in[0].expand({0, 2}); }},
      {"squeeze", VIEW { return in[0].slice(1, 2).squeeze({0}); }},
      {"broadcast one", VIEW { return in[0].slice(0, 1, 1).broadcast(5, 1); }},
      {"broadcast many", VIEW { return in[0].broadcast(2, 1); }},
      {"sub-sample", VIEW { return in[0].subSample(2, 1); }},
      {"upsample", VIEW { return in[0].upsample(2, 2, UpsampleMethod::REPEAT); }},
      {"reverse", VIEW { return in[0].reverse(2).reverse(0); }},
      {"concat", VIEW { return concat(in[0], in[0].reverse(0), 2); }},
      {"concat of views", VIEW {
         const Tensor both = concat(in[0].slice(0, 2, 2), in[0].slice(2, 4, 2), 1);
         return both.dimShuffle({1, 0, 2}).reshape({3, 8});
       }},
      {"append", VIEW { return append(in[0][0], in[0][1][0]); }},
      {"reinterpret", VIEW { return in[0].reinterpret(INT); }},
      {"copy to a view", [](Graph &g, Sequence &prog, const Inputs &in) {
         const Tensor out = mapped(g, FLOAT, {4, 3, 2});
         prog.add(Copy(in[0], out.transpose()));
         return out;
       }},
      {"copy within a tensor", [](Graph &g, Sequence &prog, const Inputs &in) {
         const Tensor out = mapped(g, FLOAT, {24});
         prog.add(Copy(in[0].flatten(), out));
         prog.add(Copy(out.slice(0, 20), out.slice(4, 24)));
         return out;
       }},
      {"constants", [](Graph &g, Sequence &, const Inputs &) {
         const float values[] = {1.5f, 2.5f};
         const Tensor a = g.addConstant(FLOAT, {2}, &values[0]);
         const Tensor b = g.addConstant(FLOAT, {1}, 7);
         const Tensor c = g.addConstant<float>(FLOAT, {2}, ArrayRef<float>({3.0f, 4.0f}));
         for (const Tensor &t : {a, b, c})
           g.setTileMapping(t, 0);
         return concat(vector<Tensor>{a, b, c});
       }},
      {"initial value", [](Graph &g, Sequence &, const Inputs &) {
         const Tensor t = mapped(g, FLOAT, {3});
         g.setInitialValue(t, 2.0f);
         g.setInitialValue(t[1], 5.0f);
         return t;
       }},
  };
}

} // namespace
