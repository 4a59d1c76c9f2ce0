/*
 * Elementwise mathematics, linear algebra and reductions.
 * An op adds itself to the current computation and returns its result, NULL on failure. The
 * result's shape is inferred: output_dims and output_shape may be undefined (size -1) where the
 * comment does not give them a meaning of their own. value_id may be NULL.
 * Operands broadcast as in numpy and share one element type. An axis may be negative. axes has
 * num_of_axes entries: none means all of them, those beyond the rank are ignored.
 */
#ifndef ODLA_IPU_OPS_ODLA_OPS_MATH_H
#define ODLA_IPU_OPS_ODLA_OPS_MATH_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** |input|, any numeric type. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Abs(odla_value input, const odla_value_id value_id);

/** Arc cosine in radians; NaN outside [-1, 1]. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ACos(odla_value x, const odla_value_id value_id);

/** Inverse hyperbolic cosine; NaN below 1. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ACosh(odla_value x, const odla_value_id value_id);

/** lhs + rhs; integers wrap. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Add(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Logical and of BOOL values. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_And(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/**
 * Index of the largest element along axis, of output_value_type's element type. keep_dims leaves
 * the axis with size 1. Among equal elements the first counts, with return_last_index the last.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ArgMax(
    odla_value input, odla_int32 axis, odla_bool keep_dims, odla_bool return_last_index,
    odla_value_type output_value_type, const odla_value_id value_id);

/**
 * Index of the smallest element along axis, of output_value_type's element type. keep_dims leaves
 * the axis with size 1. Among equal elements the first counts, with return_last_index the last.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ArgMin(
    odla_value input, odla_int32 axis, odla_bool keep_dims, odla_bool return_last_index,
    odla_value_type output_value_type, const odla_value_id value_id);

/** Arc sine in radians; NaN outside [-1, 1]. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ASin(odla_value x, const odla_value_id value_id);

/** Inverse hyperbolic sine. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ASinh(odla_value x, const odla_value_id value_id);

/** Arc tangent in radians. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ATan(odla_value x, const odla_value_id value_id);

/** Inverse hyperbolic tangent; NaN outside [-1, 1]. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ATanh(odla_value x, const odla_value_id value_id);

/** The smallest integer not below the element; floating-point types. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Ceil(odla_value input, const odla_value_id value_id);

/** min(max(input, lo), hi). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Clamp(
    odla_value input, odla_float32 lo, odla_float32 hi, const odla_value_id value_id);

/**
 * Determinant of the matrices in the last two dimensions; the result has the dimensions before
 * them.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Det(
    odla_value input, odla_value_shape output_shape, const odla_value_id value_id);

/**
 * Sums of the elements up to each along axis, a value with one integer. exclusion leaves the
 * element itself out, reverse sums from the end.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CumSum(
    odla_value input, odla_value axis, odla_bool exclusion, odla_bool reverse,
    const odla_value_id value_id);

/** lhs / rhs; integers are truncated toward zero. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Div(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/**
 * Einstein sum by a numpy equation, such as "bij,bjk->bik"; ellipses, repeated letters and an
 * implicit result are allowed.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Einsum(
    odla_values inputs, const odla_char* equation, odla_value_shape output_dims,
    const odla_value_id value_id);

/** Error function. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Erf(odla_value input, const odla_value_id value_id);

/** lhs == rhs as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Equal(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** e to the power of the element. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Exp(odla_value input, const odla_value_id value_id);

/** The largest integer not above the element; floating-point types. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Floor(odla_value input, const odla_value_id value_id);

/**
 * op(A) x op(B) over the last two dimensions, which *_transpose swaps first; the dimensions before
 * them broadcast.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_BatchMatMul(
    odla_value A, odla_bool A_transpose, odla_value B, odla_bool B_transpose,
    odla_value_shape output_dims, const odla_value_id value_id);

/**
 * alpha * op(A) x op(B) + beta * C. The last two dimensions are multiplied and swapped first by
 * *_transpose; those before them broadcast. C may be NULL, else it broadcasts to the result.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Gemm(
    odla_value A, odla_bool A_transpose, odla_value B, odla_bool B_transpose,
    odla_float32 alpha, odla_float32 beta, odla_value C, odla_value_shape output_dims,
    const odla_value_id value_id);

/** lhs > rhs as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Greater(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** lhs >= rhs as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_GreaterOrEqual(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Inverse of the matrices in the last two dimensions. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Inverse(
    odla_value input, const odla_value_id value_id);

/** Whether the element is +inf (detect_pos) or -inf (detect_neg), as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_IsInf(
    odla_value input, odla_bool detect_pos, odla_bool detect_neg, const odla_value_id value_id);

/** Whether the element is a NaN, as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_IsNaN(odla_value input, const odla_value_id value_id);

/** lhs < rhs as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Less(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** lhs <= rhs as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_LessOrEqual(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Natural logarithm. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Log(odla_value input, const odla_value_id value_id);

/** The larger of both elements. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Max(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Arithmetic mean of the inputs, which broadcast. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Mean(
    odla_values inputs, const odla_value_id value_id);

/** The smaller of both elements. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Min(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Remainder of lhs / rhs: with the sign of rhs when fmod is 0, of lhs (C's fmod) when it is 1. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Mod(
    odla_value lhs, odla_value rhs, odla_int64 fmod, const odla_value_id value_id);

/** lhs * rhs; integers wrap. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Mul(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** -input. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Neg(odla_value input, const odla_value_id value_id);

/** Logical not of a BOOL value. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Not(odla_value input, const odla_value_id value_id);

/** lhs != rhs as BOOL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_NotEqual(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Logical or of BOOL values. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Or(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Logical exclusive or of BOOL values. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Xor(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** base to the power of exponent, whose type may differ; the result has base's type. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Pow(
    odla_value base, odla_value exponent, const odla_value_id value_id);

/** 1 / input. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Reciprocal(
    odla_value input, const odla_value_id value_id);

/** Sum of |x| over the axes, plus epsilon. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceL1(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_float32 epsilon, odla_value_shape output_dims, const odla_value_id value_id);

/** Square root of the sum of x * x over the axes, plus epsilon before the root. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceL2(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_float32 epsilon, odla_value_shape output_dims, const odla_value_id value_id);

/** Logarithm of the sum over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceLogSum(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Logarithm of the sum of e^x, without overflow over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceLogSumExp(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Largest element over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceMax(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Arithmetic mean over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceMean(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Smallest element over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceMin(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Product over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceProd(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Sum over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceSum(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Sum of x * x over the axes. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReduceSumSquare(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes, odla_bool keep_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** The nearest integer; halves go to the even one. Floating-point types. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Round(odla_value input, const odla_value_id value_id);

/** 1 / square root. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Rsqrt(odla_value input, const odla_value_id value_id);

/**
 * a where condition (BOOL) is true, else b; all three broadcast. A condition of rank 1 that does
 * not broadcast but has the length of dimension 0 selects along that one.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Select(
    odla_value condition, odla_value a, odla_value b, odla_value_shape output_dims,
    const odla_value_id value_id);

/** Unsigned integers shifted by shift_amount bits, to the left or to the right. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Shift(
    odla_value input, odla_value shift_amount, odla_bool is_left_shift,
    const odla_value_id value_id);

/** -1, 0 or 1 in input's type. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Sign(odla_value input, const odla_value_id value_id);

/** Square root. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Sqrt(odla_value input, const odla_value_id value_id);

/** (lhs - rhs) squared. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_SquaredDifference(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** lhs - rhs; integers wrap. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Sub(
    odla_value lhs, odla_value rhs, const odla_value_id value_id);

/** Sine of radians. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Sin(odla_value x, const odla_value_id value_id);

/** Hyperbolic sine. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Sinh(odla_value x, const odla_value_id value_id);

/** Cosine of radians. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Cos(odla_value x, const odla_value_id value_id);

/** Hyperbolic cosine. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Cosh(odla_value x, const odla_value_id value_id);

/** Tangent of radians. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Tan(odla_value x, const odla_value_id value_id);

/** Hyperbolic tangent. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Tanh(odla_value x, const odla_value_id value_id);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_MATH_H */
