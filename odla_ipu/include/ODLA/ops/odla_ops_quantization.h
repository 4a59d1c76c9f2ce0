/*
 * Quantization. scale and zero_point have one element, or one for each index of axis; zero_point
 * may be NULL: 0. NULL is returned on failure.
 */
#ifndef ODLA_IPU_OPS_ODLA_OPS_QUANTIZATION_H
#define ODLA_IPU_OPS_ODLA_OPS_QUANTIZATION_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** (input - zero_point) * scale; target_data_type is a floating-point type. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Dequantize(
    odla_value input, odla_value scale, odla_value zero_point, odla_int32 axis,
    odla_element_type target_data_type, const odla_value_id value_id);

/** input / scale, rounded half to even, plus zero_point, saturated to target_data_type. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Quantize(
    odla_value input, odla_value scale, odla_value zero_point, odla_int32 axis,
    odla_element_type target_data_type, const odla_value_id value_id);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_QUANTIZATION_H */
