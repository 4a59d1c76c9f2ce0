// Expressions over tensors for popops::map.
#ifndef popops_Expr_hpp
#define popops_Expr_hpp

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <popops/ExprOp.hpp>
#include <poplar/Type.hpp>

namespace popops {
namespace expr {

struct Node;

class Expr {
public:
  explicit Expr(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  const Node &node() const { return *node_; }
  std::shared_ptr<const Node> share() const { return node_; }

protected:
  std::shared_ptr<const Node> node_;
};

class Any : public Expr {
public:
  Any(const Expr &expr) : Expr(expr) {}
};

class PlaceHolder : public Expr {
public:
  explicit PlaceHolder(unsigned index);
};

// A number; it takes the type of what it meets, unless it has one.
class Const : public Expr {
public:
  template <class T> explicit Const(T value) : Const(double(value), poplar::Type(), false) {}
  Const(double value, poplar::Type type, bool isTyped);
};
class ConstHalf : public Const {
public:
  explicit ConstHalf(float value) : Const(value, poplar::HALF, true) {}
};

class Cast : public Expr {
public:
  Cast(const Expr &expr, const poplar::Type &type);
};
class UnaryOp : public Expr {
public:
  UnaryOp(UnaryOpType type, const Expr &a);
};
class BinaryOp : public Expr {
public:
  BinaryOp(BinaryOpType type, const Expr &a, const Expr &b);
};
class TernaryOp : public Expr {
public:
  TernaryOp(TernaryOpType type, const Expr &a, const Expr &b, const Expr &c);
};
class Select : public TernaryOp {
public:
  Select(const Expr &whenTrue, const Expr &whenFalse, const Expr &condition)
      : TernaryOp(TernaryOpType::SELECT, whenTrue, whenFalse, condition) {}
};
class Clamp : public TernaryOp {
public:
  Clamp(const Expr &x, const Expr &low, const Expr &high)
      : TernaryOp(TernaryOpType::CLAMP, x, low, high) {}
};

#define ODLA_POPOPS_UNARY(Name, TYPE)                                                              \
  class Name : public UnaryOp {                                                                    \
  public:                                                                                          \
    explicit Name(const Expr &a) : UnaryOp(UnaryOpType::TYPE, a) {}                                \
  };
ODLA_POPOPS_UNARY(Abs, ABSOLUTE)
ODLA_POPOPS_UNARY(Asin, ASIN)
ODLA_POPOPS_UNARY(BitwiseNot, BITWISE_NOT)
ODLA_POPOPS_UNARY(Cbrt, CBRT)
ODLA_POPOPS_UNARY(Ceil, CEIL)
ODLA_POPOPS_UNARY(Cos, COS)
ODLA_POPOPS_UNARY(Erf, ERF)
ODLA_POPOPS_UNARY(Exp, EXPONENT)
ODLA_POPOPS_UNARY(Expm1, EXPONENT_MINUS_ONE)
ODLA_POPOPS_UNARY(Exp2, EXPONENT2)
ODLA_POPOPS_UNARY(Floor, FLOOR)
ODLA_POPOPS_UNARY(GeluErf, GELU_ERF)
ODLA_POPOPS_UNARY(Inv, INVERSE)
ODLA_POPOPS_UNARY(IsFinite, IS_FINITE)
ODLA_POPOPS_UNARY(IsInf, IS_INF)
ODLA_POPOPS_UNARY(IsNaN, IS_NAN)
ODLA_POPOPS_UNARY(Log, LOGARITHM)
ODLA_POPOPS_UNARY(Log1p, LOGARITHM_ONE_PLUS)
ODLA_POPOPS_UNARY(Not, LOGICAL_NOT)
ODLA_POPOPS_UNARY(NearbyInt, NEARBY_INT)
ODLA_POPOPS_UNARY(Neg, NEGATE)
ODLA_POPOPS_UNARY(Relu, RELU)
ODLA_POPOPS_UNARY(Round, ROUND)
ODLA_POPOPS_UNARY(Rsqrt, RSQRT)
ODLA_POPOPS_UNARY(Sigmoid, SIGMOID)
ODLA_POPOPS_UNARY(Signum, SIGNUM)
ODLA_POPOPS_UNARY(Sin, SIN)
ODLA_POPOPS_UNARY(Sqrt, SQRT)
ODLA_POPOPS_UNARY(Square, SQUARE)
ODLA_POPOPS_UNARY(Tan, TAN)
ODLA_POPOPS_UNARY(Tanh, TANH)
ODLA_POPOPS_UNARY(Trunc, TRUNC)
#undef ODLA_POPOPS_UNARY

#define ODLA_POPOPS_BINARY(Name, TYPE)                                                             \
  class Name : public BinaryOp {                                                                   \
  public:                                                                                          \
    Name(const Expr &a, const Expr &b) : BinaryOp(BinaryOpType::TYPE, a, b) {}                     \
  };
ODLA_POPOPS_BINARY(Add, ADD)
ODLA_POPOPS_BINARY(Atan2, ATAN2)
ODLA_POPOPS_BINARY(BitwiseAnd, BITWISE_AND)
ODLA_POPOPS_BINARY(BitwiseOr, BITWISE_OR)
ODLA_POPOPS_BINARY(BitwiseXor, BITWISE_XOR)
ODLA_POPOPS_BINARY(Divide, DIVIDE)
ODLA_POPOPS_BINARY(Equal, EQUAL)
ODLA_POPOPS_BINARY(Gte, GREATER_THAN_EQUAL)
ODLA_POPOPS_BINARY(Gt, GREATER_THAN)
ODLA_POPOPS_BINARY(Lte, LESS_THAN_EQUAL)
ODLA_POPOPS_BINARY(Lt, LESS_THAN)
ODLA_POPOPS_BINARY(And, LOGICAL_AND)
ODLA_POPOPS_BINARY(Or, LOGICAL_OR)
ODLA_POPOPS_BINARY(Max, MAXIMUM)
ODLA_POPOPS_BINARY(Min, MINIMUM)
ODLA_POPOPS_BINARY(Mul, MULTIPLY)
ODLA_POPOPS_BINARY(NotEqual, NOT_EQUAL)
ODLA_POPOPS_BINARY(Pow, POWER)
ODLA_POPOPS_BINARY(Rem, REMAINDER)
ODLA_POPOPS_BINARY(Shl, SHIFT_LEFT)
ODLA_POPOPS_BINARY(Shr, SHIFT_RIGHT)
ODLA_POPOPS_BINARY(ShrSE, SHIFT_RIGHT_SIGN_EXTEND)
ODLA_POPOPS_BINARY(Sub, SUBTRACT)
#undef ODLA_POPOPS_BINARY

#define ODLA_POPOPS_PREFIX(symbol, Name)                                                           \
  inline Name operator symbol(const Expr &a) { return Name(a); }
ODLA_POPOPS_PREFIX(-, Neg)
ODLA_POPOPS_PREFIX(~, BitwiseNot)
ODLA_POPOPS_PREFIX(!, Not)
#undef ODLA_POPOPS_PREFIX

#define ODLA_POPOPS_INFIX(symbol, Name)                                                            \
  inline Name operator symbol(const Expr &a, const Expr &b) { return Name(a, b); }                 \
  template <class T>                                                                               \
  std::enable_if_t<std::is_arithmetic<T>::value, Name> operator symbol(const Expr &a, T b) {       \
    return Name(a, Const(b));                                                                      \
  }                                                                                                \
  template <class T>                                                                               \
  std::enable_if_t<std::is_arithmetic<T>::value, Name> operator symbol(T a, const Expr &b) {       \
    return Name(Const(a), b);                                                                      \
  }
ODLA_POPOPS_INFIX(+, Add)
ODLA_POPOPS_INFIX(-, Sub)
ODLA_POPOPS_INFIX(*, Mul)
ODLA_POPOPS_INFIX(/, Divide)
ODLA_POPOPS_INFIX(%, Rem)
ODLA_POPOPS_INFIX(==, Equal)
ODLA_POPOPS_INFIX(!=, NotEqual)
ODLA_POPOPS_INFIX(>=, Gte)
ODLA_POPOPS_INFIX(>, Gt)
ODLA_POPOPS_INFIX(<=, Lte)
ODLA_POPOPS_INFIX(<, Lt)
ODLA_POPOPS_INFIX(&&, And)
ODLA_POPOPS_INFIX(||, Or)
ODLA_POPOPS_INFIX(&, BitwiseAnd)
ODLA_POPOPS_INFIX(|, BitwiseOr)
ODLA_POPOPS_INFIX(^, BitwiseXor)
ODLA_POPOPS_INFIX(<<, Shl)
ODLA_POPOPS_INFIX(>>, Shr)
#undef ODLA_POPOPS_INFIX

inline const PlaceHolder _1(1);
inline const PlaceHolder _2(2);
inline const PlaceHolder _3(3);
inline const PlaceHolder _4(4);
inline const PlaceHolder _5(5);
inline const PlaceHolder _6(6);
inline const PlaceHolder _7(7);
inline const PlaceHolder _8(8);
inline const PlaceHolder _9(9);
inline const PlaceHolder _10(10);
inline const PlaceHolder _11(11);
inline const PlaceHolder _12(12);
inline const PlaceHolder _13(13);
inline const PlaceHolder _14(14);
inline const PlaceHolder _15(15);
inline const PlaceHolder _16(16);
inline const PlaceHolder _17(17);
inline const PlaceHolder _18(18);
inline const PlaceHolder _19(19);
inline const PlaceHolder _20(20);

} // namespace expr
} // namespace popops

#endif
