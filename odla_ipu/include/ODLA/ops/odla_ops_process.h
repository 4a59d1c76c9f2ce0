/*
 * Shapes, slices, gathers, joins and resizing.
 * An op adds itself to the current computation and returns its result, NULL on failure. The
 * result's shape is inferred: output_dims and output_shape may be undefined (size -1) where the
 * comment does not give them a meaning of their own. value_id may be NULL.
 * An axis may be negative.
 */
#ifndef ODLA_IPU_OPS_ODLA_OPS_PROCESS_H
#define ODLA_IPU_OPS_ODLA_OPS_PROCESS_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a resized element is made of its neighbours. */
typedef enum {
  ODLA_NEAREST = 0, /**< the nearest; of two the lower one */
  ODLA_LINEAR = 1,  /**< linear in each dimension */
  ODLA_CUBIC = 2,   /**< cubic in each dimension, with a = -0.75 */
} odla_interpolation_mode;

/**
 * The place x in the input of element y of the result, s being out / in. The first name is spelt as
 * ODLA has it.
 */
typedef enum {
  ODLA_ASSYMMETRIC = 0,   /**< x = y / s */
  ODLA_HALF_PIXEL = 1,    /**< x = (y + 0.5) / s - 0.5 */
  ODLA_HALF_PIXEL_TF = 2, /**< as ODLA_HALF_PIXEL; ODLA_NEAREST takes floor((y + 0.5) / s) */
  ODLA_ALIGN_CORNERS = 3, /**< x = y * (in - 1) / (out - 1) */
} odla_resize_coordinate_mode;

/** The rule of odla_Fill. */
typedef enum {
  ODLA_EyeLike = 0,       /**< ones on the main diagonal */
  ODLA_RandomNormal = 1,  /**< mean p0, standard deviation p1 */
  ODLA_RandomUniform = 2, /**< from p0 up to p1 */
} odla_fill_method;

/** input broadcast to output_shape. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Broadcast(
    const odla_value input, odla_value_shape output_shape, const odla_value_id value_id);

/** Conversion to target_type; floating point to integer truncates, to BOOL is x != 0. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Cast(
    odla_value input, odla_element_type target_type, const odla_value_id value_id);

/**
 * The slices along axis where condition (BOOL, rank 1) is true; axis INT32_MAX flattens input
 * first. max_output_shape bounds the result.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Compress(
    odla_value input, odla_value condition, odla_int32 axis, odla_value_shape max_output_shape,
    const odla_value_id value_id);

/** The inputs one after the other along axis. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Concat(
    odla_values inputs, odla_int32 axis, odla_value_shape output_shape,
    const odla_value_id value_id);

/** input broadcast to output_dims (ONNX Expand). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ExpandDims(
    odla_value input, odla_value_shape output_dims, const odla_value_id value_id);

/**
 * A tensor by a rule: ones on the diagonal, normal numbers of mean p0 and deviation p1, or uniform
 * ones in [p0, p1).
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Fill(
    odla_value_type type, odla_fill_method method, odla_float32 p0, odla_float32 p1,
    odla_float32 seed, const odla_value_id value_id);

/** Slices of input along axis at the indices, which may be negative. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Gather(
    odla_value input, odla_value indices, odla_int32 axis, odla_value_shape output_dims,
    const odla_value_id value_id);

/**
 * Slices of input at index tuples in the last dimension of indices; num_batch_dims leading
 * dimensions are walked together.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_GatherND(
    odla_value input, odla_value indices, odla_int32 num_batch_dims,
    odla_value_shape output_dims, const odla_value_id value_id);

/** For each element of indices, the element of input with that index along axis. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_GatherElements(
    odla_value input, odla_value indices, odla_int32 axis, odla_value_shape output_dims,
    const odla_value_id value_id);

/**
 * values[1] where the new axis, of size depth, equals the index, else values[0]. axis is counted in
 * the result.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_OneHot(
    odla_value indices, odla_int32 depth, odla_value values, odla_int32 axis,
    odla_value_shape output_dims, const odla_value_id value_id);

/** Zeros before and after; one entry for each dimension. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Pad(
    odla_value input, const odla_uint32* padding_front, const odla_uint32* padding_back,
    odla_value_shape output_dims, const odla_value_id value_id);

/** The same elements in another shape. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Reshape(
    odla_value input, odla_value_shape output_dims, const odla_value_id value_id);

/** The shape is a value: 0 copies a dimension, one -1 is inferred. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ReshapeDynamic(
    odla_value input, odla_value output_shape, const odla_value_id value_id);

/**
 * Resampling to output_dims. Bit 0 of axes_mask stands for the last dimension; a set bit resizes
 * it.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Resize(
    odla_value input, odla_interpolation_mode interpolation, odla_resize_coordinate_mode mode,
    odla_uint32 axes_mask, odla_value_shape output_dims, const odla_value_id value_id);

/** Resampling by scales or to sizes, one of which is NULL. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ResizeDynamic(
    odla_value input, odla_value scales, odla_value sizes,
    odla_interpolation_mode interpolation, odla_resize_coordinate_mode mode,
    odla_value_shape output_dims, const odla_value_id value_id);

/** The shape of input as INT64, rank 1. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Shape(
    odla_value input, odla_value_shape output_dims, const odla_value_id value_id);

/**
 * Elements from start to end (not included) in steps of stride; one entry for each dimension. A
 * dimension of output_dims that is known prevails over end.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Slice(
    odla_value input, const odla_int32* start, const odla_int32* end, const odla_int32* stride,
    odla_value_shape output_dims, const odla_value_id value_id);

/**
 * A copy of input, rank 1, in which element axes[k] becomes original[k], added to the old one where
 * negative.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_DimsExpand(
    odla_value input, odla_value original, odla_value axes, odla_value_shape output_dims,
    const odla_value_id id);

/**
 * size elements from start, in steps of stride, one entry for each dimension; stride may be NULL:
 * 1.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_SliceDynamic(
    odla_value input, odla_value start, odla_value size, odla_value stride,
    odla_value_shape output_dims, const odla_value_id value_id);

/** num_split equal parts along split_dim, a constant with one integer. */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_Split(
    odla_value input, odla_value split_dim, odla_int32 num_split,
    const odla_value_ids value_ids);

/** Drops the axes, which have size 1; all such when num_of_axes is 0. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Squeeze(
    odla_value input, odla_size_t num_of_axes, const odla_uint32* axes,
    odla_value_shape output_dims, const odla_value_id value_id);

/** The inputs one after the other along a new axis, counted in the result. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Stack(
    odla_values inputs, odla_int32 axis, odla_value_shape output_shape,
    const odla_value_id value_id);

/** Dimension i of the result is dimension permutations.dims[i] of input. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Transpose(
    odla_value input, odla_value_shape permutations, odla_value_shape output_dims,
    const odla_value_id value_id);

/** input repeated; one count for each dimension. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Tile(
    odla_value input, const odla_uint32* repeat, odla_value_shape output_dims,
    const odla_value_id value_id);

/** The counts are a value of rank 1. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_TileDynamic(
    odla_value input, odla_value repeat, odla_value_shape output_dims,
    const odla_value_id value_id);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_PROCESS_H */
