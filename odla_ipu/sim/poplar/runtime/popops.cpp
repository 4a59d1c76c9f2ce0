// Library functions, computed natively on whole tensors.
#include "core.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include <popops/Cast.hpp>
#include <popops/DynamicSlice.hpp>
#include <popops/ElementWise.hpp>
#include <popops/Encoding.hpp>
#include <popops/Fill.hpp>
#include <popops/Gather.hpp>
#include <popops/Loop.hpp>
#include <popops/Reduce.hpp>
#include <popops/Sort.hpp>
#include <popops/TopK.hpp>
#include <popops/Zero.hpp>
#include <poputil/Broadcast.hpp>
#include <poputil/TileMapping.hpp>
#include <poputil/exceptions.hpp>

namespace popops {

using poplar::core::Code;
using poplar::core::Dims;
using poplar::core::product;
using poplar::core::sizeOf;
using poplar::core::text;
using poputil::poplibs_error;
using Pointers = std::vector<void *>;

namespace {

bool isReal(Code code) { return code == Code::FLOAT || code == Code::HALF; }

Tensor made(Graph &graph, const poplar::Type &type, const Dims &shape, const DebugContext &name) {
  const Tensor result = graph.addVariable(type, shape, name);
  poputil::mapTensorLinearly(graph, result);
  return result;
}

void run(Sequence &prog, const char *name, const std::vector<Tensor> &inputs,
         const std::vector<Tensor> &outputs, poplar::core::HostFunction function,
         bool inPlace = false) {
  prog.add(poplar::core::hostProgram(name, inputs, outputs, std::move(function), inPlace));
}

// Elements of any type as double; what is read and written one by one.
double get(Code code, const void *data, std::size_t index) {
  double value = 0;
  const char *from = static_cast<const char *>(data) + index * sizeOf(code);
  if (isReal(code)) {
    float real;
    poplar::core::convert(code, from, Code::FLOAT, &real, 1);
    value = real;
  } else {
    std::int64_t whole;
    poplar::core::convert(code, from, Code::LONGLONG, &whole, 1);
    value = double(whole);
  }
  return value;
}

void put(Code code, void *data, std::size_t index, double value) {
  char *to = static_cast<char *>(data) + index * sizeOf(code);
  if (isReal(code)) {
    const float real = float(value);
    poplar::core::convert(Code::FLOAT, &real, code, to, 1);
  } else {
    const std::int64_t whole = std::int64_t(value);
    poplar::core::convert(Code::LONGLONG, &whole, code, to, 1);
  }
}

} // namespace

// Expressions.

namespace expr {

enum class Form { PLACE, CONSTANT, CAST, UNARY, BINARY, TERNARY };

struct Node {
  Form form;
  unsigned index = 0; // of a placeholder, or the op's type
  double value = 0;
  poplar::Type type;
  bool isTyped = false;
  std::vector<std::shared_ptr<const Node>> of;
};

namespace {
std::shared_ptr<const Node> newNode(Form form, unsigned index,
                                 std::vector<std::shared_ptr<const Node>> of) {
  auto result = std::make_shared<Node>();
  result->form = form;
  result->index = index;
  result->of = std::move(of);
  return result;
}
std::shared_ptr<const Node> typed(Form form, double value, poplar::Type type, bool isTyped,
                                  std::vector<std::shared_ptr<const Node>> of) {
  auto result = std::make_shared<Node>();
  result->form = form;
  result->value = value;
  result->type = type;
  result->isTyped = isTyped;
  result->of = std::move(of);
  return result;
}
} // namespace

PlaceHolder::PlaceHolder(unsigned index) : Expr(newNode(Form::PLACE, index, {})) {}
Const::Const(double value, poplar::Type type, bool isTyped)
    : Expr(typed(Form::CONSTANT, value, type, isTyped, {})) {}
Cast::Cast(const Expr &a, const poplar::Type &type)
    : Expr(typed(Form::CAST, 0, type, true, {a.share()})) {}
UnaryOp::UnaryOp(UnaryOpType type, const Expr &a)
    : Expr(newNode(Form::UNARY, unsigned(type), {a.share()})) {}
BinaryOp::BinaryOp(BinaryOpType type, const Expr &a, const Expr &b)
    : Expr(newNode(Form::BINARY, unsigned(type), {a.share(), b.share()})) {}
TernaryOp::TernaryOp(TernaryOpType type, const Expr &a, const Expr &b, const Expr &c)
    : Expr(newNode(Form::TERNARY, unsigned(type), {a.share(), b.share(), c.share()})) {}

} // namespace expr

namespace {

using expr::BinaryOpType;
using expr::Form;
using expr::Node;
using expr::TernaryOpType;
using expr::UnaryOpType;

constexpr std::size_t block = 512;

// A node with its element type, evaluated for a block of elements: floats, or whole numbers.
struct Evaluated {
  const Node *node;
  Code code;
  std::vector<Evaluated> of;
  std::vector<float> reals;
  std::vector<std::int64_t> wholes;
};

bool hasType(const Node &node, const std::vector<Tensor> &tensors, Code &code) {
  if (node.form == Form::PLACE) {
    if (node.index == 0 || node.index > tensors.size())
      throw poplibs_error(text("map: placeholder _", node.index, " for ", tensors.size(),
                               " tensors"));
    code = tensors[node.index - 1].view().code;
    return true;
  }
  if (node.isTyped) {
    code = node.type.code();
    return true;
  }
  if (node.form == Form::CONSTANT)
    return false;
  if (node.form == Form::TERNARY && TernaryOpType(node.index) == TernaryOpType::SELECT)
    return hasType(*node.of[0], tensors, code) || hasType(*node.of[1], tensors, code);
  if (node.form == Form::UNARY) {
    const auto type = UnaryOpType(node.index);
    if (type == UnaryOpType::IS_FINITE || type == UnaryOpType::IS_INF ||
        type == UnaryOpType::IS_NAN) {
      code = Code::BOOL;
      return true;
    }
  }
  if (node.form == Form::BINARY) {
    switch (BinaryOpType(node.index)) {
    case BinaryOpType::EQUAL:
    case BinaryOpType::NOT_EQUAL:
    case BinaryOpType::GREATER_THAN:
    case BinaryOpType::GREATER_THAN_EQUAL:
    case BinaryOpType::LESS_THAN:
    case BinaryOpType::LESS_THAN_EQUAL:
    case BinaryOpType::LOGICAL_AND:
    case BinaryOpType::LOGICAL_OR:
      code = Code::BOOL;
      return true;
    default:
      break;
    }
  }
  for (const auto &child : node.of)
    if (hasType(*child, tensors, code))
      return true;
  return false;
}

Evaluated prepare(const Node &node, const std::vector<Tensor> &tensors, Code wanted) {
  Evaluated result{&node, wanted, {}, {}, {}};
  hasType(node, tensors, result.code);
  // Operands agree with each other; a condition is bool.
  Code inner = result.code;
  for (const auto &child : node.of)
    if (hasType(*child, tensors, inner))
      break;
  for (std::size_t i = 0; i != node.of.size(); ++i) {
    const bool isCondition = node.form == Form::TERNARY && i == 2 &&
                             TernaryOpType(node.index) == TernaryOpType::SELECT;
    result.of.push_back(prepare(*node.of[i], tensors, isCondition ? Code::BOOL : inner));
  }
  if (node.form == Form::BINARY && result.of[0].code != result.of[1].code)
    throw poplibs_error(text("map: an operator of ", poplar::core::nameOf(result.of[0].code),
                             " and ", poplar::core::nameOf(result.of[1].code)));
  result.reals.resize(block);
  result.wholes.resize(block);
  return result;
}

float unaryReal(UnaryOpType type, float x) {
  switch (type) {
  case UnaryOpType::ABSOLUTE: return std::fabs(x);
  case UnaryOpType::ASIN: return std::asin(x);
  case UnaryOpType::CBRT: return std::cbrt(x);
  case UnaryOpType::CEIL: return std::ceil(x);
  case UnaryOpType::COS: return std::cos(x);
  case UnaryOpType::ERF: return std::erf(x);
  case UnaryOpType::EXPONENT: return std::exp(x);
  case UnaryOpType::EXPONENT_MINUS_ONE: return std::expm1(x);
  case UnaryOpType::EXPONENT2: return std::exp2(x);
  case UnaryOpType::FLOOR: return std::floor(x);
  case UnaryOpType::GELU_ERF: return 0.5f * x * (1.0f + std::erf(x * 0.70710678f));
  case UnaryOpType::INVERSE: return 1.0f / x;
  case UnaryOpType::LOGARITHM: return std::log(x);
  case UnaryOpType::LOGARITHM_ONE_PLUS: return std::log1p(x);
  case UnaryOpType::NEARBY_INT: return std::nearbyint(x);
  case UnaryOpType::NEGATE: return -x;
  case UnaryOpType::RELU: return x < 0 ? 0.0f : x;
  case UnaryOpType::ROUND: return std::round(x);
  case UnaryOpType::RSQRT: return 1.0f / std::sqrt(x);
  case UnaryOpType::SIGMOID: return 1.0f / (1.0f + std::exp(-x));
  case UnaryOpType::SIGNUM: return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
  case UnaryOpType::SIN: return std::sin(x);
  case UnaryOpType::SQRT: return std::sqrt(x);
  case UnaryOpType::SQUARE: return x * x;
  case UnaryOpType::TAN: return std::tan(x);
  case UnaryOpType::TANH: return std::tanh(x);
  case UnaryOpType::TRUNC: return std::trunc(x);
  default: throw poplibs_error("map: this function takes integers");
  }
}

std::int64_t unaryWhole(UnaryOpType type, std::int64_t x, Code code) {
  const unsigned bits = unsigned(8 * sizeOf(code));
  const std::uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  switch (type) {
  case UnaryOpType::ABSOLUTE: return x < 0 ? -x : x;
  case UnaryOpType::BITWISE_NOT: return ~x;
  case UnaryOpType::COUNT_LEADING_ZEROS:
    return (std::uint64_t(x) & mask) ? __builtin_clzll(std::uint64_t(x) & mask) - int(64 - bits)
                                     : int(bits);
  case UnaryOpType::LOGICAL_NOT: return !x;
  case UnaryOpType::NEGATE: return -x;
  case UnaryOpType::POPCOUNT: return __builtin_popcountll(std::uint64_t(x) & mask);
  case UnaryOpType::RELU: return x < 0 ? 0 : x;
  case UnaryOpType::SIGNUM: return x > 0 ? 1 : x < 0 ? -1 : 0;
  case UnaryOpType::SQUARE: return x * x;
  default: throw poplibs_error("map: this function takes floating-point numbers");
  }
}

float binaryReal(BinaryOpType type, float a, float b) {
  switch (type) {
  case BinaryOpType::ADD: return a + b;
  case BinaryOpType::ATAN2: return std::atan2(a, b);
  case BinaryOpType::DIVIDE: return a / b;
  case BinaryOpType::MAXIMUM: return std::fmax(a, b);
  case BinaryOpType::MINIMUM: return std::fmin(a, b);
  case BinaryOpType::MULTIPLY: return a * b;
  case BinaryOpType::POWER: return std::pow(a, b);
  case BinaryOpType::REMAINDER: return std::fmod(a, b);
  case BinaryOpType::SUBTRACT: return a - b;
  case BinaryOpType::INV_STD_DEV_TO_VARIANCE: return 1.0f / (a * a) - b;
  case BinaryOpType::VARIANCE_TO_INV_STD_DEV: return 1.0f / std::sqrt(a + b);
  default: throw poplibs_error("map: this function takes integers");
  }
}

std::int64_t binaryWhole(BinaryOpType type, std::int64_t a, std::int64_t b, Code code) {
  const unsigned bits = unsigned(8 * sizeOf(code));
  const std::uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  switch (type) {
  case BinaryOpType::ADD: return a + b;
  case BinaryOpType::BITWISE_AND: return a & b;
  case BinaryOpType::BITWISE_OR: return a | b;
  case BinaryOpType::BITWISE_XOR: return a ^ b;
  case BinaryOpType::BITWISE_XNOR: return ~(a ^ b);
  case BinaryOpType::DIVIDE: return b ? a / b : 0;
  case BinaryOpType::MAXIMUM: return std::max(a, b);
  case BinaryOpType::MINIMUM: return std::min(a, b);
  case BinaryOpType::MULTIPLY: return a * b;
  case BinaryOpType::REMAINDER: return b ? a % b : 0;
  case BinaryOpType::SHIFT_LEFT: return std::uint64_t(b) < bits ? a << b : 0;
  case BinaryOpType::SHIFT_RIGHT:
    return std::uint64_t(b) < bits ? std::int64_t((std::uint64_t(a) & mask) >> b) : 0;
  case BinaryOpType::SHIFT_RIGHT_SIGN_EXTEND: return a >> std::min<std::int64_t>(b, 63);
  case BinaryOpType::SUBTRACT: return a - b;
  default: throw poplibs_error("map: this function takes floating-point numbers");
  }
}

template <class T> bool compared(BinaryOpType type, T a, T b) {
  switch (type) {
  case BinaryOpType::EQUAL: return a == b;
  case BinaryOpType::NOT_EQUAL: return a != b;
  case BinaryOpType::GREATER_THAN: return a > b;
  case BinaryOpType::GREATER_THAN_EQUAL: return a >= b;
  case BinaryOpType::LESS_THAN: return a < b;
  case BinaryOpType::LESS_THAN_EQUAL: return a <= b;
  case BinaryOpType::LOGICAL_AND: return a != T(0) && b != T(0);
  default: return a != T(0) || b != T(0);
  }
}

bool isComparison(BinaryOpType type) {
  switch (type) {
  case BinaryOpType::EQUAL:
  case BinaryOpType::NOT_EQUAL:
  case BinaryOpType::GREATER_THAN:
  case BinaryOpType::GREATER_THAN_EQUAL:
  case BinaryOpType::LESS_THAN:
  case BinaryOpType::LESS_THAN_EQUAL:
  case BinaryOpType::LOGICAL_AND:
  case BinaryOpType::LOGICAL_OR:
    return true;
  default:
    return false;
  }
}

// Values as the type holds them: float16 rounds, integers wrap.
void settle(Evaluated &e, std::size_t count) {
  if (e.code == Code::HALF) {
    for (std::size_t i = 0; i != count; ++i)
      e.reals[i] = float(half(e.reals[i]));
  } else if (!isReal(e.code) && sizeOf(e.code) < 8) {
    alignas(8) char bytes[8 * block];
    poplar::core::convert(Code::LONGLONG, e.wholes.data(), e.code, bytes, count);
    poplar::core::convert(e.code, bytes, Code::LONGLONG, e.wholes.data(), count);
  }
}

void evaluate(Evaluated &e, const Pointers &inputs, std::size_t begin, std::size_t count) {
  for (Evaluated &child : e.of)
    evaluate(child, inputs, begin, count);
  const bool real = isReal(e.code);
  switch (e.node->form) {
  case Form::PLACE: {
    const char *from =
        static_cast<const char *>(inputs[e.node->index - 1]) + begin * sizeOf(e.code);
    poplar::core::convert(e.code, from, real ? Code::FLOAT : Code::LONGLONG,
                          real ? static_cast<void *>(e.reals.data()) : e.wholes.data(), count);
    return;
  }
  case Form::CONSTANT:
    std::fill_n(e.reals.begin(), count, float(e.node->value));
    std::fill_n(e.wholes.begin(), count, std::int64_t(e.node->value));
    break;
  case Form::CAST: {
    Evaluated &from = e.of[0];
    const bool was = isReal(from.code);
    if (real != was)
      poplar::core::convert(was ? Code::FLOAT : Code::LONGLONG,
                            was ? static_cast<void *>(from.reals.data()) : from.wholes.data(),
                            real ? Code::FLOAT : Code::LONGLONG,
                            real ? static_cast<void *>(e.reals.data()) : e.wholes.data(), count);
    else
      e.reals = from.reals, e.wholes = from.wholes;
    break;
  }
  case Form::UNARY: {
    const auto type = UnaryOpType(e.node->index);
    Evaluated &a = e.of[0];
    if (type == UnaryOpType::IS_NAN || type == UnaryOpType::IS_INF ||
        type == UnaryOpType::IS_FINITE)
      for (std::size_t i = 0; i != count; ++i) {
        const float x = isReal(a.code) ? a.reals[i] : 0.0f;
        e.wholes[i] = type == UnaryOpType::IS_NAN   ? std::isnan(x)
                      : type == UnaryOpType::IS_INF ? std::isinf(x)
                                                    : std::isfinite(x);
      }
    else
      for (std::size_t i = 0; i != count; ++i)
        real ? void(e.reals[i] = unaryReal(type, a.reals[i]))
             : void(e.wholes[i] = unaryWhole(type, a.wholes[i], e.code));
    break;
  }
  case Form::BINARY: {
    const auto type = BinaryOpType(e.node->index);
    Evaluated &a = e.of[0], &b = e.of[1];
    if (isComparison(type))
      for (std::size_t i = 0; i != count; ++i)
        e.wholes[i] = isReal(a.code) ? compared(type, a.reals[i], b.reals[i])
                                     : compared(type, a.wholes[i], b.wholes[i]);
    else
      for (std::size_t i = 0; i != count; ++i)
        real ? void(e.reals[i] = binaryReal(type, a.reals[i], b.reals[i]))
             : void(e.wholes[i] = binaryWhole(type, a.wholes[i], b.wholes[i], e.code));
    break;
  }
  case Form::TERNARY: {
    Evaluated &a = e.of[0], &b = e.of[1], &c = e.of[2];
    if (TernaryOpType(e.node->index) == TernaryOpType::SELECT)
      for (std::size_t i = 0; i != count; ++i)
        real ? void(e.reals[i] = c.wholes[i] ? a.reals[i] : b.reals[i])
             : void(e.wholes[i] = c.wholes[i] ? a.wholes[i] : b.wholes[i]);
    else
      for (std::size_t i = 0; i != count; ++i)
        real ? void(e.reals[i] = std::fmin(std::fmax(a.reals[i], b.reals[i]), c.reals[i]))
             : void(e.wholes[i] = std::min(std::max(a.wholes[i], b.wholes[i]), c.wholes[i]));
    break;
  }
  }
  settle(e, count);
}

Dims broadcastShape(const std::vector<Tensor> &tensors) {
  Dims shape;
  for (const Tensor &tensor : tensors) {
    const Dims other = tensor.shape();
    if (other.size() > shape.size())
      shape.insert(shape.begin(), other.size() - shape.size(), 1);
    for (std::size_t i = 1; i <= other.size(); ++i) {
      std::size_t &size = shape[shape.size() - i];
      const std::size_t mine = other[other.size() - i];
      size = size == 1 ? mine : size;
    }
  }
  return shape;
}

} // namespace

void mapWithOutput(Graph &, const expr::Expr &expression, const std::vector<Tensor> &tensors,
                   const Tensor &out, Sequence &prog, const DebugContext &, const OptionFlags &) {
  Code code = out.view().code;
  hasType(expression.node(), tensors, code);
  if (code != out.view().code)
    throw poplibs_error(text("map: the result is ", poplar::core::nameOf(code), ", the output ",
                             out));
  std::vector<Tensor> inputs = tensors;
  for (Tensor &input : inputs)
    poputil::broadcastToMatch(input, out.shape());
  auto evaluated = std::make_shared<Evaluated>(prepare(expression.node(), tensors, code));
  const std::size_t total = out.numElements();
  const auto keep = expression.share();
  run(prog, "map", inputs, {out}, [=](const Pointers &in, const Pointers &to) {
    (void)keep;
    for (std::size_t begin = 0; begin < total; begin += block) {
      const std::size_t count = std::min(block, total - begin);
      evaluate(*evaluated, in, begin, count);
      const bool real = isReal(code);
      poplar::core::convert(real ? Code::FLOAT : Code::LONGLONG,
                            real ? static_cast<void *>(evaluated->reals.data())
                                 : evaluated->wholes.data(),
                            code, static_cast<char *>(to[0]) + begin * sizeOf(code), count);
    }
  });
}

Tensor map(Graph &graph, const expr::Expr &expression, const std::vector<Tensor> &tensors,
           Sequence &prog, const DebugContext &name, const OptionFlags &) {
  Code code = Code::FLOAT;
  hasType(expression.node(), tensors, code);
  const Tensor out = made(graph, poplar::Type(code), broadcastShape(tensors), name);
  mapWithOutput(graph, expression, tensors, out, prog, name);
  return out;
}

void mapInPlace(Graph &graph, const expr::Expr &expression, const std::vector<Tensor> &tensors,
                Sequence &prog, const DebugContext &name, const OptionFlags &) {
  mapWithOutput(graph, expression, tensors, tensors.at(0), prog, name);
}

// Casts and constants.

poplar::program::Program cast(Graph &, Tensor source, Tensor destination, const DebugContext &) {
  if (source.shape() != destination.shape())
    throw poplibs_error(text("cast of ", source, " to ", destination));
  const Code from = source.view().code, to = destination.view().code;
  const std::size_t count = source.numElements();
  return poplar::core::hostProgram("cast", {source}, {destination},
                                   [=](const Pointers &in, const Pointers &out) {
                                     poplar::core::convert(from, in[0], to, out[0], count);
                                   });
}

Tensor cast(Graph &graph, const Tensor &tensor, const poplar::Type &type, Sequence &prog,
            const DebugContext &name) {
  const Tensor result = graph.clone(type, tensor, name);
  prog.add(cast(graph, tensor, result, name));
  return result;
}

namespace host {
void fill(const Tensor &tensor, Sequence &prog, double value) {
  const Code code = tensor.view().code;
  const std::size_t count = tensor.numElements();
  run(prog, "fill", {}, {tensor}, [=](const Pointers &, const Pointers &out) {
    if (count == 0)
      return;
    put(code, out[0], 0, value);
    char *bytes = static_cast<char *>(out[0]);
    for (std::size_t i = 1; i != count; ++i)
      std::memcpy(bytes + i * sizeOf(code), bytes, sizeOf(code));
  });
}
} // namespace host

void zero(Graph &, const Tensor &tensor, Sequence &prog, const DebugContext &) {
  host::fill(tensor, prog, 0);
}

// Reductions.

void reduceWithOutput(Graph &, const Tensor &in, const Tensor &out,
                      const std::vector<std::size_t> &dims, ReduceParams params, Sequence &prog,
                      const DebugContext &, const OptionFlags &) {
  std::vector<unsigned> order;
  std::size_t inner = 1;
  Dims kept;
  const auto isReduced = [&](std::size_t d) {
    return std::find(dims.begin(), dims.end(), d) != dims.end();
  };
  for (unsigned d = 0; d != in.rank(); ++d)
    if (!isReduced(d)) {
      order.push_back(d);
      kept.push_back(in.dim(d));
    }
  for (unsigned d = 0; d != in.rank(); ++d)
    if (isReduced(d)) {
      order.push_back(d);
      inner *= in.dim(d);
    }
  if (out.shape() != kept)
    throw poplibs_error(text("reduce: the output is ", out, ", not ",
                             poplar::core::toString(kept)));
  const Code from = in.view().code, to = out.view().code;
  const std::size_t outer = product(kept);
  std::vector<Tensor> inputs{in.dimShuffle(order)};
  if (params.update)
    inputs.push_back(out);
  if (params.useScale)
    inputs.push_back(params.scale);
  const Operation op = params.op;
  const bool update = params.update, scaled = params.useScale;
  run(prog, "reduce", inputs, {out}, [=](const Pointers &data, const Pointers &result) {
    const double scale = scaled ? get(Code::FLOAT, data.back(), 0) : 1.0;
    for (std::size_t row = 0; row != outer; ++row) {
      double total = op == Operation::MUL || op == Operation::LOGICAL_AND ? 1
                     : op == Operation::MIN ? std::numeric_limits<double>::infinity()
                     : op == Operation::MAX || op == Operation::LOG_ADD
                         ? -std::numeric_limits<double>::infinity()
                         : 0;
      for (std::size_t i = 0; i != inner; ++i) {
        const double x = get(from, data[0], row * inner + i);
        switch (op) {
        case Operation::ADD: total += x; break;
        case Operation::MUL: total *= x; break;
        case Operation::MIN: total = std::fmin(total, x); break;
        case Operation::MAX: total = std::fmax(total, x); break;
        case Operation::LOGICAL_AND: total = total != 0 && x != 0; break;
        case Operation::LOGICAL_OR: total = total != 0 || x != 0; break;
        case Operation::SQUARE_ADD: total += x * x; break;
        case Operation::LOG_ADD: {
          const double high = std::max(total, x), low = std::min(total, x);
          total = std::isinf(low) && low < 0 ? high : high + std::log1p(std::exp(low - high));
          break;
        }
        }
      }
      total *= scale;
      if (update)
        total += get(to, data[1], row);
      put(to, result[0], row, total);
    }
  });
}

Tensor reduce(Graph &graph, const Tensor &in, const poplar::Type &outType,
              const std::vector<std::size_t> &dims, ReduceParams params, Sequence &prog,
              const DebugContext &name, const OptionFlags &) {
  Dims kept;
  for (std::size_t d = 0; d != in.rank(); ++d)
    if (std::find(dims.begin(), dims.end(), d) == dims.end())
      kept.push_back(in.dim(unsigned(d)));
  const Tensor out = made(graph, outType, kept, name);
  reduceWithOutput(graph, in, out, dims, params, prog, name);
  return out;
}

Tensor reduce(Graph &graph, const Tensor &in, const std::vector<std::size_t> &dims,
              ReduceParams params, Sequence &prog, const DebugContext &name,
              const OptionFlags &options) {
  return reduce(graph, in, in.elementType(), dims, params, prog, name, options);
}

// Slices at offsets that the device computes.

namespace {

// The tensor with the sliced dimension first, [size, elements of one].
struct Sliced {
  Tensor rows;
  std::size_t size, length, width;
};

Sliced slicedRows(const char *what, const Tensor &tensor, const std::vector<std::size_t> &dims,
                  const std::vector<std::size_t> &sizes) {
  if (dims.size() != 1 || sizes.size() != 1 || dims[0] >= tensor.rank() ||
      sizes[0] > tensor.dim(unsigned(dims[0])))
    throw poplibs_error(text(what, ": only slices of one dimension of ", tensor));
  const Tensor rolled = tensor.dimRoll(unsigned(dims[0]));
  const std::size_t size = rolled.dim(0);
  const std::size_t width = size ? rolled.numElements() / size : 0;
  return {rolled, size, sizes[0], width};
}

void checkOffsets(const char *what, const Tensor &offsets) {
  const Code code = offsets.view().code;
  if (code != Code::UNSIGNED_INT && code != Code::INT)
    throw poplibs_error(text(what, ": the offsets are ", offsets, "; accepted: unsigned int"));
}

template <std::size_t Bytes>
void copyRows(const char *from, const std::uint32_t *places, std::size_t count, std::size_t size,
              char *to) {
  for (std::size_t i = 0; i != count; ++i, to += Bytes)
    if (places[i] < size)
      std::memcpy(to, from + places[i] * Bytes, Bytes);
}

enum class Update { SET, ADD, MAX, MUL };

void update(const char *what, Graph &, const Tensor &tensor, const Tensor &slices,
            const Tensor &offsets, const Tensor *scale, const std::vector<std::size_t> &dims,
            const std::vector<std::size_t> &sizes, Sequence &prog, Update how) {
  const Sliced part = slicedRows(what, tensor, dims, sizes);
  checkOffsets(what, offsets);
  const std::size_t count = offsets.numElements();
  const Tensor from = slices.dimRoll(unsigned(dims[0]) + 1, 1);
  if (from.numElements() != count * part.length * part.width)
    throw poplibs_error(text(what, ": slices ", slices, " for ", count, " offsets of ", tensor));
  const Code code = tensor.view().code;
  std::vector<Tensor> inputs{part.rows, from, offsets};
  if (scale)
    inputs.push_back(*scale);
  const Code scaleCode = scale ? scale->view().code : code;
  const bool isScaled = scale != nullptr;
  const std::size_t bytes = part.rows.numElements() * sizeOf(code), size = part.size;
  const std::size_t row = part.width, length = part.length;
  run(prog, what, inputs, {part.rows}, [=](const Pointers &in, const Pointers &out) {
    if (out[0] != in[0])
      std::memcpy(out[0], in[0], bytes);
    const auto *places = static_cast<const std::uint32_t *>(in[2]);
    const double factor = isScaled ? get(scaleCode, in[3], 0) : 1.0;
    for (std::size_t i = 0; i != count; ++i) {
      if (places[i] >= size || places[i] + length > size)
        continue;
      const std::size_t to = places[i] * row, of = i * length * row;
      if (how == Update::SET) {
        std::memcpy(static_cast<char *>(out[0]) + to * sizeOf(code),
                    static_cast<const char *>(in[1]) + of * sizeOf(code),
                    length * row * sizeOf(code));
      } else if (code == Code::FLOAT && how == Update::ADD) {
        float *sum = static_cast<float *>(out[0]) + to;
        const float *more = static_cast<const float *>(in[1]) + of;
        const float times = float(factor);
        for (std::size_t j = 0; j != length * row; ++j)
          sum[j] += times * more[j];
      } else {
        for (std::size_t j = 0; j != length * row; ++j) {
          const double old = get(code, out[0], to + j), x = get(code, in[1], of + j);
          put(code, out[0], to + j,
              how == Update::ADD   ? old + factor * x
              : how == Update::MAX ? std::fmax(old, x)
                                   : old * x);
        }
      }
    }
  }, true);
}

} // namespace

Tensor multiSlice(Graph &graph, const Tensor &tensor, const Tensor &offsets,
                  const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                  Sequence &prog, const SlicePlan &, const OptionFlags &,
                  const DebugContext &name) {
  const Sliced part = slicedRows("multiSlice", tensor, dims, sizes);
  checkOffsets("multiSlice", offsets);
  const std::size_t count = offsets.numElements();
  // [offsets, length, the rest], and the sliced dimension back in its place.
  Dims shape = part.rows.shape();
  shape[0] = part.length;
  shape.insert(shape.begin(), count);
  const Tensor out = made(graph, tensor.elementType(), shape, name);
  const std::size_t width = part.width * sizeOf(tensor.view().code), size = part.size;
  const std::size_t length = part.length;
  run(prog, "multiSlice", {part.rows, offsets}, {out}, [=](const Pointers &in, const Pointers &to) {
    const auto *places = static_cast<const std::uint32_t *>(in[1]);
    const char *from = static_cast<const char *>(in[0]);
    char *row = static_cast<char *>(to[0]);
    switch (length * width) { // small rows one by one
    case 1: return copyRows<1>(from, places, count, size, row);
    case 2: return copyRows<2>(from, places, count, size, row);
    case 4: return copyRows<4>(from, places, count, size, row);
    case 8: return copyRows<8>(from, places, count, size, row);
    }
    for (std::size_t i = 0; i != count; ++i, row += length * width)
      if (places[i] < size && places[i] + length <= size)
        std::memcpy(row, from + places[i] * width, length * width);
  });
  return out.dimRoll(1, unsigned(dims[0]) + 1);
}

void multiUpdate(Graph &graph, const Tensor &tensor, const Tensor &slices, const Tensor &offsets,
                 const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                 Sequence &prog, const SlicePlan &, const OptionFlags &, const DebugContext &) {
  update("multiUpdate", graph, tensor, slices, offsets, nullptr, dims, sizes, prog, Update::SET);
}

void multiUpdateAdd(Graph &graph, const Tensor &tensor, const Tensor &slices,
                    const Tensor &offsets, const Tensor &scale,
                    const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                    Sequence &prog, const SlicePlan &, const OptionFlags &, const DebugContext &) {
  update("multiUpdateAdd", graph, tensor, slices, offsets, &scale, dims, sizes, prog,
         Update::ADD);
}

void multiUpdateMax(Graph &graph, const Tensor &tensor, const Tensor &slices,
                    const Tensor &offsets, const std::vector<std::size_t> &dims,
                    const std::vector<std::size_t> &sizes, Sequence &prog, const SlicePlan &,
                    const OptionFlags &, const DebugContext &) {
  update("multiUpdateMax", graph, tensor, slices, offsets, nullptr, dims, sizes, prog,
         Update::MAX);
}

void multiUpdateMul(Graph &graph, const Tensor &tensor, const Tensor &slices,
                    const Tensor &offsets, const std::vector<std::size_t> &dims,
                    const std::vector<std::size_t> &sizes, Sequence &prog, const SlicePlan &,
                    const OptionFlags &, const DebugContext &) {
  update("multiUpdateMul", graph, tensor, slices, offsets, nullptr, dims, sizes, prog,
         Update::MUL);
}

Tensor dynamicSlice(Graph &graph, const Tensor &tensor, const Tensor &offset,
                    const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                    Sequence &prog, const DebugContext &name, const OptionFlags &options) {
  Tensor result = tensor;
  for (std::size_t i = 0; i != dims.size(); ++i) {
    const Tensor one = offset.flatten().slice(i, i + 1);
    result = multiSlice(graph, result, one, {dims[i]}, {sizes[i]}, prog, SlicePlan(), options,
                        name)[0];
  }
  return result;
}

void dynamicUpdate(Graph &graph, const Tensor &tensor, const Tensor &slice, const Tensor &offset,
                   const std::vector<std::size_t> &dims, const std::vector<std::size_t> &sizes,
                   Sequence &prog, const DebugContext &name, const OptionFlags &options) {
  if (dims.size() != 1)
    throw poplibs_error("dynamicUpdate: only along one dimension");
  multiUpdate(graph, tensor, slice.expand({0}), offset.flatten().slice(0, 1), dims, sizes, prog,
              SlicePlan(), options, name);
}

Tensor gather(Graph &graph, const Tensor &tensor, const Tensor &indices, unsigned axis,
              Sequence &prog, const GatherParams &, const DebugContext &name,
              const OptionFlags &options) {
  const Tensor slices = multiSlice(graph, tensor, indices.flatten(), {axis}, {1}, prog,
                                   SlicePlan(), options, name);
  // [indices, ..., 1 at axis, ...] -> the indices' dimensions at the axis.
  const Tensor moved = slices.squeeze({std::size_t(axis) + 1}).dimRoll(0, axis);
  return moved.reshapePartial(axis, axis + 1, indices.shape());
}

// Sorting, along the last dimension.

namespace {

std::vector<std::uint32_t> sortedOrder(Code code, const void *keys, std::size_t first,
                                       std::size_t count, bool descending) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i != count; ++i)
    values[i] = get(code, keys, first + i);
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return descending ? values[a] > values[b] : values[a] < values[b];
  });
  return order;
}

void pick(Code code, const void *from, std::size_t first, const std::vector<std::uint32_t> &order,
          std::size_t count, void *to, std::size_t start) {
  const std::size_t size = sizeOf(code);
  for (std::size_t i = 0; i != count; ++i)
    std::memcpy(static_cast<char *>(to) + (start + i) * size,
                static_cast<const char *>(from) + (first + order[i]) * size, size);
}

// Keys, and values that go with them, or where they were.
std::pair<Tensor, Tensor> topOf(Graph &graph, Sequence &prog, const Tensor &keys,
                                const Tensor *values, unsigned k, bool descending,
                                const DebugContext &name) {
  if (keys.rank() == 0 || k > keys.dim(keys.rank() - 1))
    throw poplibs_error(text("topK: ", k, " of ", keys));
  Dims shape = keys.shape();
  const std::size_t count = shape.back(), rows = count ? keys.numElements() / count : 0;
  shape.back() = k;
  const Code code = keys.view().code;
  const Code other = values ? values->view().code : Code::UNSIGNED_INT;
  const Tensor best = made(graph, poplar::Type(code), shape, name);
  const Tensor places = made(graph, poplar::Type(other), shape, name);
  std::vector<Tensor> inputs{keys};
  if (values)
    inputs.push_back(*values);
  const bool hasValues = values != nullptr;
  run(prog, "topK", inputs, {best, places}, [=](const Pointers &in, const Pointers &out) {
    for (std::size_t row = 0; row != rows; ++row) {
      const auto order = sortedOrder(code, in[0], row * count, count, descending);
      pick(code, in[0], row * count, order, k, out[0], row * k);
      if (hasValues)
        pick(other, in[1], row * count, order, k, out[1], row * k);
      else
        std::memcpy(static_cast<std::uint32_t *>(out[1]) + row * k, order.data(), 4 * k);
    }
  });
  return {best, places};
}

} // namespace

Tensor topK(Graph &graph, Sequence &prog, const Tensor &tensor, const TopKParams &params,
            const DebugContext &name, const OptionFlags &options) {
  return topKWithPermutation(graph, prog, tensor, params, name, options).first;
}

std::pair<Tensor, Tensor> topKKeyValue(Graph &graph, Sequence &prog, const Tensor &keys,
                                       const Tensor &values, const TopKParams &params,
                                       const DebugContext &name, const OptionFlags &) {
  auto found = topOf(graph, prog, keys, &values, params.k, params.largest, name);
  const bool isFalling = params.sortOrder != SortOrder::ASCENDING;
  if (params.sortOrder != SortOrder::NONE && isFalling != params.largest)
    for (Tensor *one : {&found.first, &found.second})
      *one = one->reverse(one->rank() - 1);
  return found;
}

std::pair<Tensor, Tensor> topKWithPermutation(Graph &graph, Sequence &prog, const Tensor &tensor,
                                              const TopKParams &params, const DebugContext &name,
                                              const OptionFlags &) {
  auto found = topOf(graph, prog, tensor, nullptr, params.k, params.largest, name);
  const bool isFalling = params.sortOrder != SortOrder::ASCENDING;
  if (params.sortOrder != SortOrder::NONE && isFalling != params.largest)
    for (Tensor *one : {&found.first, &found.second})
      *one = one->reverse(one->rank() - 1);
  return found;
}

Tensor sort(Graph &graph, const Tensor &tensor, unsigned dim, Sequence &prog,
            const DebugContext &name) {
  const Tensor rolled = tensor.dimRoll(dim, tensor.rank() - 1);
  const unsigned count = unsigned(rolled.dim(rolled.rank() - 1));
  return topOf(graph, prog, rolled, nullptr, count, false, name)
      .first.dimRoll(tensor.rank() - 1, dim);
}

void sortInPlace(Graph &graph, const Tensor &tensor, unsigned dim, Sequence &prog,
                 const DebugContext &name) {
  prog.add(poplar::program::Copy(sort(graph, tensor, dim, prog, name), tensor));
}

Tensor sortKeyValue(Graph &graph, const Tensor &keys, const Tensor &values, unsigned dim,
                    Sequence &prog, const DebugContext &name) {
  const Tensor rolled = keys.dimRoll(dim, keys.rank() - 1);
  const Tensor other = values.dimRoll(dim, values.rank() - 1);
  const unsigned count = unsigned(rolled.dim(rolled.rank() - 1));
  return topOf(graph, prog, rolled, &other, count, false, name)
      .second.dimRoll(values.rank() - 1, dim);
}

// Numbers made of indices.

namespace {
void oneHot(const Tensor &indices, const Tensor &encoded, Sequence &prog, const Tensor *on,
            const Tensor *off) {
  const std::size_t count = indices.numElements(), depth = encoded.dim(encoded.rank() - 1);
  const Code code = encoded.view().code, of = indices.view().code;
  std::vector<Tensor> inputs{indices};
  if (on)
    inputs.insert(inputs.end(), {*on, *off});
  const bool isGiven = on != nullptr;
  run(prog, "encodeOneHot", inputs, {encoded}, [=](const Pointers &in, const Pointers &out) {
    const double yes = isGiven ? get(code, in[1], 0) : 1, no = isGiven ? get(code, in[2], 0) : 0;
    for (std::size_t i = 0; i != count; ++i)
      for (std::size_t j = 0; j != depth; ++j)
        put(code, out[0], i * depth + j, get(of, in[0], i) == double(j) ? yes : no);
  });
}

void count(const Tensor &tensor, std::int64_t start, Sequence &prog) {
  const Code code = tensor.view().code;
  const std::size_t total = tensor.numElements();
  run(prog, "iota", {}, {tensor}, [=](const Pointers &, const Pointers &out) {
    for (std::size_t i = 0; i != total; ++i)
      put(code, out[0], i, double(start + std::int64_t(i)));
  });
}
} // namespace

void encodeOneHot(Graph &, const Tensor &indices, const Tensor &encoded, Sequence &prog,
                  const DebugContext &) {
  oneHot(indices, encoded, prog, nullptr, nullptr);
}
void encodeOneHot(Graph &, const Tensor &indices, const Tensor &encoded, Sequence &prog,
                  const Tensor &on, const Tensor &off, const DebugContext &) {
  oneHot(indices, encoded, prog, &on, &off);
}
void iota(Graph &, const Tensor &tensor, unsigned start, Sequence &prog, const DebugContext &) {
  count(tensor, start, prog);
}
void iota(Graph &, const Tensor &tensor, int start, Sequence &prog, const DebugContext &) {
  count(tensor, start, prog);
}

// Loops.

Sequence countedLoop(Graph &graph, std::size_t begin, std::size_t end, std::size_t step,
                     const CountedLoopBodyType &body, const DebugContext &name) {
  if (step == 0)
    throw poplibs_error("countedLoop: the step is 0");
  Sequence prog;
  const Tensor counter = graph.addVariable(poplar::UNSIGNED_INT, {1}, name);
  graph.setTileMapping(counter, 0);
  host::fill(counter, prog, double(begin));
  Sequence inner;
  inner.add(body(counter));
  addInPlace(graph, counter, unsigned(step), inner);
  prog.add(poplar::program::Repeat(
      unsigned(end > begin ? (end - begin + step - 1) / step : 0), inner));
  return prog;
}

Sequence countedLoop(Graph &graph, std::size_t count, const CountedLoopBodyType &body,
                     const DebugContext &name) {
  return countedLoop(graph, 0, count, 1, body, name);
}

} // namespace popops
