// Elementwise functions of tensors, which broadcast as numpy's do.
#ifndef popops_ElementWise_hpp
#define popops_ElementWise_hpp

#include <string>
#include <type_traits>
#include <vector>

#include <popops/Expr.hpp>
#include <poplar/Graph.hpp>
#include <poplar/OptionFlags.hpp>
#include <poplar/Program.hpp>

namespace popops {

using poplar::DebugContext;
using poplar::Graph;
using poplar::OptionFlags;
using poplar::Tensor;
using poplar::program::Sequence;

Tensor map(Graph &graph, const expr::Expr &expression, const std::vector<Tensor> &tensors,
           Sequence &prog, const DebugContext & = {}, const OptionFlags & = {});
void mapInPlace(Graph &graph, const expr::Expr &expression, const std::vector<Tensor> &tensors,
                Sequence &prog, const DebugContext & = {}, const OptionFlags & = {});
void mapWithOutput(Graph &graph, const expr::Expr &expression, const std::vector<Tensor> &tensors,
                   const Tensor &out, Sequence &prog, const DebugContext & = {},
                   const OptionFlags & = {});

inline Tensor map(Graph &graph, expr::UnaryOpType op, const Tensor &a, Sequence &prog,
                  const DebugContext &name = {}, const OptionFlags & = {}) {
  return map(graph, expr::UnaryOp(op, expr::_1), {a}, prog, name);
}
inline void mapInPlace(Graph &graph, expr::UnaryOpType op, const Tensor &a, Sequence &prog,
                       const DebugContext &name = {}, const OptionFlags & = {}) {
  mapInPlace(graph, expr::UnaryOp(op, expr::_1), {a}, prog, name);
}
inline void mapWithOutput(Graph &graph, expr::UnaryOpType op, const Tensor &a, const Tensor &out,
                          Sequence &prog, const DebugContext &name = {},
                          const OptionFlags & = {}) {
  mapWithOutput(graph, expr::UnaryOp(op, expr::_1), {a}, out, prog, name);
}
inline Tensor map(Graph &graph, expr::BinaryOpType op, const Tensor &a, const Tensor &b, Sequence &prog,
                  const DebugContext &name = {}, const OptionFlags & = {}) {
  return map(graph, expr::BinaryOp(op, expr::_1, expr::_2), {a, b}, prog, name);
}
inline void mapInPlace(Graph &graph, expr::BinaryOpType op, const Tensor &a, const Tensor &b, Sequence &prog,
                       const DebugContext &name = {}, const OptionFlags & = {}) {
  mapInPlace(graph, expr::BinaryOp(op, expr::_1, expr::_2), {a, b}, prog, name);
}
inline void mapWithOutput(Graph &graph, expr::BinaryOpType op, const Tensor &a, const Tensor &b, const Tensor &out,
                          Sequence &prog, const DebugContext &name = {},
                          const OptionFlags & = {}) {
  mapWithOutput(graph, expr::BinaryOp(op, expr::_1, expr::_2), {a, b}, out, prog, name);
}
inline Tensor map(Graph &graph, expr::TernaryOpType op, const Tensor &a, const Tensor &b, const Tensor &c, Sequence &prog,
                  const DebugContext &name = {}, const OptionFlags & = {}) {
  return map(graph, expr::TernaryOp(op, expr::_1, expr::_2, expr::_3), {a, b, c}, prog, name);
}
inline void mapInPlace(Graph &graph, expr::TernaryOpType op, const Tensor &a, const Tensor &b, const Tensor &c, Sequence &prog,
                       const DebugContext &name = {}, const OptionFlags & = {}) {
  mapInPlace(graph, expr::TernaryOp(op, expr::_1, expr::_2, expr::_3), {a, b, c}, prog, name);
}
inline void mapWithOutput(Graph &graph, expr::TernaryOpType op, const Tensor &a, const Tensor &b, const Tensor &c, const Tensor &out,
                          Sequence &prog, const DebugContext &name = {},
                          const OptionFlags & = {}) {
  mapWithOutput(graph, expr::TernaryOp(op, expr::_1, expr::_2, expr::_3), {a, b, c}, out, prog, name);
}

// name, nameInPlace (writes the first tensor) and nameWithOutput.
#define ODLA_POPOPS_UNARY(name, TYPE)                                                              \
  inline Tensor name(Graph &graph, const Tensor &a, Sequence &prog, const DebugContext &dc = {},   \
                     const OptionFlags & = {}) {                                                   \
    return map(graph, expr::UnaryOpType::TYPE, a, prog, dc);                                       \
  }                                                                                                \
  inline void name##InPlace(Graph &graph, const Tensor &a, Sequence &prog,                         \
                            const DebugContext &dc = {}, const OptionFlags & = {}) {               \
    mapInPlace(graph, expr::UnaryOpType::TYPE, a, prog, dc);                                       \
  }                                                                                                \
  inline void name##WithOutput(Graph &graph, const Tensor &a, const Tensor &out, Sequence &prog,   \
                               const DebugContext &dc = {}, const OptionFlags & = {}) {            \
    mapWithOutput(graph, expr::UnaryOpType::TYPE, a, out, prog, dc);                               \
  }
ODLA_POPOPS_UNARY(abs, ABSOLUTE)
ODLA_POPOPS_UNARY(asin, ASIN)
ODLA_POPOPS_UNARY(bitwiseNot, BITWISE_NOT)
ODLA_POPOPS_UNARY(cbrt, CBRT)
ODLA_POPOPS_UNARY(ceil, CEIL)
ODLA_POPOPS_UNARY(cos, COS)
ODLA_POPOPS_UNARY(erf, ERF)
ODLA_POPOPS_UNARY(exp, EXPONENT)
ODLA_POPOPS_UNARY(expm1, EXPONENT_MINUS_ONE)
ODLA_POPOPS_UNARY(exp2, EXPONENT2)
ODLA_POPOPS_UNARY(floor, FLOOR)
ODLA_POPOPS_UNARY(inv, INVERSE)
ODLA_POPOPS_UNARY(log, LOGARITHM)
ODLA_POPOPS_UNARY(log1p, LOGARITHM_ONE_PLUS)
ODLA_POPOPS_UNARY(logicalNot, LOGICAL_NOT)
ODLA_POPOPS_UNARY(neg, NEGATE)
ODLA_POPOPS_UNARY(relu, RELU)
ODLA_POPOPS_UNARY(round, ROUND)
ODLA_POPOPS_UNARY(rsqrt, RSQRT)
ODLA_POPOPS_UNARY(sigmoid, SIGMOID)
ODLA_POPOPS_UNARY(signum, SIGNUM)
ODLA_POPOPS_UNARY(sin, SIN)
ODLA_POPOPS_UNARY(sqrt, SQRT)
ODLA_POPOPS_UNARY(square, SQUARE)
ODLA_POPOPS_UNARY(tan, TAN)
ODLA_POPOPS_UNARY(tanh, TANH)
ODLA_POPOPS_UNARY(trunc, TRUNC)
ODLA_POPOPS_UNARY(isFinite, IS_FINITE)
ODLA_POPOPS_UNARY(isInf, IS_INF)
ODLA_POPOPS_UNARY(isNaN, IS_NAN)
#undef ODLA_POPOPS_UNARY

#define ODLA_POPOPS_BINARY(name, TYPE)                                                             \
  inline Tensor name(Graph &graph, const Tensor &a, const Tensor &b, Sequence &prog,               \
                     const DebugContext &dc = {}, const OptionFlags & = {}) {                      \
    return map(graph, expr::BinaryOpType::TYPE, a, b, prog, dc);                                   \
  }                                                                                                \
  template <class T>                                                                               \
  std::enable_if_t<std::is_arithmetic<T>::value, Tensor> name(                                     \
      Graph &graph, const Tensor &a, T b, Sequence &prog, const DebugContext &dc = {},             \
      const OptionFlags & = {}) {                                                                  \
    return map(graph, expr::BinaryOp(expr::BinaryOpType::TYPE, expr::_1, expr::Const(b)), {a},     \
               prog, dc);                                                                          \
  }                                                                                                \
  inline void name##InPlace(Graph &graph, const Tensor &a, const Tensor &b, Sequence &prog,        \
                            const DebugContext &dc = {}, const OptionFlags & = {}) {               \
    mapInPlace(graph, expr::BinaryOpType::TYPE, a, b, prog, dc);                                   \
  }                                                                                                \
  template <class T>                                                                               \
  std::enable_if_t<std::is_arithmetic<T>::value> name##InPlace(                                    \
      Graph &graph, const Tensor &a, T b, Sequence &prog, const DebugContext &dc = {},             \
      const OptionFlags & = {}) {                                                                  \
    mapInPlace(graph, expr::BinaryOp(expr::BinaryOpType::TYPE, expr::_1, expr::Const(b)), {a},     \
               prog, dc);                                                                          \
  }                                                                                                \
  inline void name##WithOutput(Graph &graph, const Tensor &a, const Tensor &b, const Tensor &out,  \
                               Sequence &prog, const DebugContext &dc = {},                        \
                               const OptionFlags & = {}) {                                         \
    mapWithOutput(graph, expr::BinaryOpType::TYPE, a, b, out, prog, dc);                           \
  }
ODLA_POPOPS_BINARY(add, ADD)
ODLA_POPOPS_BINARY(atan2, ATAN2)
ODLA_POPOPS_BINARY(bitwiseAnd, BITWISE_AND)
ODLA_POPOPS_BINARY(bitwiseOr, BITWISE_OR)
ODLA_POPOPS_BINARY(bitwiseXor, BITWISE_XOR)
ODLA_POPOPS_BINARY(div, DIVIDE)
ODLA_POPOPS_BINARY(eq, EQUAL)
ODLA_POPOPS_BINARY(gteq, GREATER_THAN_EQUAL)
ODLA_POPOPS_BINARY(gt, GREATER_THAN)
ODLA_POPOPS_BINARY(lteq, LESS_THAN_EQUAL)
ODLA_POPOPS_BINARY(lt, LESS_THAN)
ODLA_POPOPS_BINARY(logicalAnd, LOGICAL_AND)
ODLA_POPOPS_BINARY(logicalOr, LOGICAL_OR)
ODLA_POPOPS_BINARY(max, MAXIMUM)
ODLA_POPOPS_BINARY(min, MINIMUM)
ODLA_POPOPS_BINARY(mul, MULTIPLY)
ODLA_POPOPS_BINARY(neq, NOT_EQUAL)
ODLA_POPOPS_BINARY(pow, POWER)
ODLA_POPOPS_BINARY(rem, REMAINDER)
ODLA_POPOPS_BINARY(shiftLeft, SHIFT_LEFT)
ODLA_POPOPS_BINARY(shiftRight, SHIFT_RIGHT)
ODLA_POPOPS_BINARY(shiftRightSignExtend, SHIFT_RIGHT_SIGN_EXTEND)
ODLA_POPOPS_BINARY(sub, SUBTRACT)
#undef ODLA_POPOPS_BINARY

inline Tensor select(Graph &graph, const Tensor &a, const Tensor &b, const Tensor &condition,
                     Sequence &prog, const DebugContext &dc = {}, const OptionFlags & = {}) {
  return map(graph, expr::TernaryOpType::SELECT, a, b, condition, prog, dc);
}
inline void selectInPlace(Graph &graph, const Tensor &a, const Tensor &b, const Tensor &condition,
                          Sequence &prog, const DebugContext &dc = {}, const OptionFlags & = {}) {
  mapInPlace(graph, expr::TernaryOpType::SELECT, a, b, condition, prog, dc);
}
inline Tensor clamp(Graph &graph, const Tensor &a, const Tensor &low, const Tensor &high,
                    Sequence &prog, const DebugContext &dc = {}, const OptionFlags & = {}) {
  return map(graph, expr::TernaryOpType::CLAMP, a, low, high, prog, dc);
}
inline void clampInPlace(Graph &graph, const Tensor &a, const Tensor &low, const Tensor &high,
                         Sequence &prog, const DebugContext &dc = {}, const OptionFlags & = {}) {
  mapInPlace(graph, expr::TernaryOpType::CLAMP, a, low, high, prog, dc);
}

} // namespace popops

#endif
