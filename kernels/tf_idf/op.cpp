// TfIdf: one tile makes a hash table of the pool, then each row is one vertex.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::vector<std::int64_t> starts;
  std::int64_t shortest, longest, skips, mode, columns;

  template <class Visitor> void visit(Visitor &&v) {
    v("starts", starts);
    v("shortest", shortest);
    v("longest", longest);
    v("skips", skips);
    v("mode", mode);
    v("columns", columns);
  }
};

std::int64_t gramCount(std::int64_t pool, const Attributes &a) {
  std::int64_t count = 0, length = 1;
  for (auto start = a.starts.begin(); start != a.starts.end(); ++start, ++length)
    count += ((start + 1 == a.starts.end() ? pool : *(start + 1)) - *start) / length;
  return count;
}

Infos infer(const Inputs &in, const Attributes &a) {
  const bool isRight = in[0].dataType() == DataType::INT32 && in[0].rank() == 2 &&
                       in[1].dataType() == DataType::INT32 && in[1].rank() == 1 &&
                       in[2].dataType() == DataType::INT32 && in[2].rank() == 1;
  require(isRight, "input INT32 [rows,words], pool and places INT32 [n]");
  require(!in.has(3) || (in[3].dataType() == DataType::FLOAT && in[3].shape() == Shape{a.columns}),
          "weights FLOAT [columns]");
  require(a.mode >= 0 && a.mode <= 2 && !a.starts.empty(), "a mode of 0 to 2 and starts");
  std::int64_t before = 0;
  for (std::int64_t start : a.starts) {
    require(start >= before && start <= in[1].dim(0), "rising starts within the pool");
    before = start;
  }
  require(in[2].nelms() == gramCount(in[1].dim(0), a), "a place for each n-gram of the pool");
  return {TensorInfo(DataType::FLOAT, {in[0].dim(0), a.columns})};
}

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor words = getInTensor(0), result = output(0);
    const Tensor weights = hasInput(3) ? getInTensor(3) : ones();
    std::vector<int> starts(attributes().starts.begin(), attributes().starts.end());
    const std::size_t grams = getInTensor(2).numElements();
    std::size_t slots = 2; // at most half of them used
    while (slots < 2 * grams)
      slots *= 2;
    const Tensor heads = variable(poplar::INT, {slots}, "heads");
    const Tensor next = variable(poplar::INT, {grams}, "next");
    const Tensor begins = variable(poplar::INT, {grams}, "begins");
    const auto prepare = graph().addComputeSet(debugContext("index"));
    const auto indexer = vertex("tf_idf", prepare, "IndexGrams", 0);
    connect(indexer, "pool", getInTensor(1));
    connect(indexer, "heads", heads);
    connect(indexer, "next", next);
    connect(indexer, "begins", begins);
    graph().setInitialValue(indexer["starts"], poplar::ArrayRef<int>(starts));
    prog.add(Execute(prepare));
    const auto work = graph().addComputeSet(debugContext("count"));
    for (unsigned row = 0; row != words.dim(0); ++row) {
      const auto made = vertex("tf_idf", work, "CountGrams", row);
      connect(made, "words", words[row]);
      connect(made, "pool", getInTensor(1));
      connect(made, "heads", heads);
      connect(made, "next", next);
      connect(made, "begins", begins);
      connect(made, "places", getInTensor(2));
      connect(made, "weights", weights);
      connect(made, "counts", result[row]);
      graph().setInitialValue(made["starts"], poplar::ArrayRef<int>(starts));
      set(made, "shortest", int(attributes().shortest));
      set(made, "longest", int(attributes().longest));
      set(made, "skips", int(attributes().skips));
      set(made, "mode", int(attributes().mode));
    }
    prog.add(Execute(work));
    setOutTensor(0, result);
  }

private:
  Tensor ones() const {
    const Tensor made = graph().addConstant(
        poplar::FLOAT, {std::size_t(attributes().columns)}, 1.0f, debugContext("weights"));
    poputil::mapTensorLinearly(graph(), made);
    return made;
  }
};

} // namespace

ODLA_KERNEL(TfIdf, Attributes, infer, Lowering, 3)
