// Functions of popops.
#include "../op_header.hpp"

#include <popnn/NonLinearity.hpp>
#include <popops/Cast.hpp>
#include <popops/DynamicSlice.hpp>
#include <popops/ElementWise.hpp>
#include <popops/Encoding.hpp>
#include <popops/Fill.hpp>
#include <popops/Gather.hpp>
#include <popops/Reduce.hpp>
#include <popops/Sort.hpp>
#include <popops/TopK.hpp>
#include <popops/Zero.hpp>

TEST_OP("Library")

namespace {

namespace pe = popops::expr;

Tensor mapped(Graph &g, const Type &type, ArrayRef<size_t> shape) {
  const Tensor made = g.addVariable(type, shape);
  poputil::mapTensorLinearly(g, made);
  return made;
}

std::map<std::string, Function> functions() {
#define CALL [](Graph & g, Sequence & prog, const Inputs &in) -> Tensor
  return {
      {"expression", CALL {
         return popops::map(g, pe::Select(pe::Abs(pe::_1) + 1.0f, pe::_2 * pe::Const(2),
                                          pe::_1 > pe::_2),
                            {in[0], in[1]}, prog);
       }},
      {"broadcast", CALL { return popops::add(g, in[0], in[1], prog); }},
      {"named", CALL {
         const Tensor y = popops::exp(g, popops::neg(g, in[0], prog), prog);
         popops::mulInPlace(g, y, in[1], prog);
         return popops::sub(g, y, 0.5f, prog);
       }},
      {"compare", CALL { return popops::lteq(g, in[0], in[1], prog); }},
      {"clamp and cast", CALL {
         const Tensor y =
             popops::map(g, pe::Clamp(pe::_1, pe::Const(-1), pe::Const(1)), {in[0]}, prog);
         return popops::cast(g, popops::round(g, y, prog), INT, prog);
       }},
      {"integers", CALL {
         return popops::map(g, ((pe::_1 << 2) ^ pe::_2) % pe::Const(7), {in[0], in[1]}, prog);
       }},
      {"attention mask", CALL { // as the predecessor's op has it
         const Tensor index = popops::cast(g, in[0], FLOAT, prog);
         const size_t batch = index.dim(0), size = index.dim(1);
         const Tensor rows = index.reshape({batch, size, 1}).broadcast(unsigned(size), 2);
         const Tensor columns = index.reshape({batch, 1, size}).broadcast(unsigned(size), 1);
         Tensor mask = popops::map(g, pe::BinaryOpType::SUBTRACT, rows, columns, prog);
         popops::absInPlace(g, mask, prog);
         popops::tanhInPlace(g, mask, prog);
         mask = popops::map(g, pe::Mul(pe::_1, pe::Const(-10000.0f)), {mask}, prog);
         return mask.expand({1});
       }},
      {"sum", CALL { return popops::reduce(g, in[0], {1}, popops::Operation::ADD, prog); }},
      {"max", CALL { return popops::reduce(g, in[0], {0, 1}, {popops::Operation::MAX}, prog); }},
      {"multi slice", CALL {
         return popops::multiSlice(g, in[0], in[1].expand({1}), {0}, {1}, prog,
                                   popops::SlicePlan(), OptionFlags());
       }},
      {"gather", CALL { return popops::gather(g, in[0], in[1], 1, prog); }},
      {"update add", CALL {
         const Tensor sum = mapped(g, FLOAT, {5, 3});
         popops::fill(g, sum, prog, 1.0f);
         const Tensor one = g.addConstant(FLOAT, {}, 2.0f);
         g.setTileMapping(one, 0);
         popops::multiUpdateAdd(g, sum, in[0].expand({1}), in[1].expand({1}), one, {0}, {1}, prog,
                                popops::SlicePlan(), OptionFlags());
         return sum;
       }},
      {"top k", CALL {
         const popops::TopKParams params(2, true, popops::SortOrder::DESCENDING, true);
         const auto found = popops::topKWithPermutation(g, prog, in[0], params);
         return concat(found.first, popops::cast(g, found.second, FLOAT, prog), 1);
       }},
      {"gelu", CALL { return popnn::gelu(g, in[0], prog); }},
      {"softmax", CALL { return popnn::softmaxStable(g, in[0], prog); }},
      {"swish in place", CALL {
         const Tensor copy = mapped(g, FLOAT, in[0].shape());
         prog.add(Copy(in[0], copy));
         popnn::swishInPlace(g, copy, prog);
         return copy;
       }},
      {"sort", CALL { return popops::sort(g, in[0], 0, prog); }},
      {"one hot", CALL {
         const Tensor coded = mapped(g, FLOAT, {4, 3});
         popops::encodeOneHot(g, in[0], coded, prog);
         return coded;
       }},
      {"iota", CALL {
         const Tensor numbers = mapped(g, INT, {5});
         popops::iota(g, numbers, -2, prog);
         return numbers;
       }},
      {"zero part", CALL {
         const Tensor copy = mapped(g, FLOAT, in[0].shape());
         prog.add(Copy(in[0], copy));
         popops::zero(g, copy.subSample(2, 1), prog);
         return copy;
       }},
  };
}

} // namespace
