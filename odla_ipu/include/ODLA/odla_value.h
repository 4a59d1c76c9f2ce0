/*
 * Values: their data, types and ids, and which of them are outputs.
 * A function whose name ends in ById means the value of that id in the current computation, and
 * returns ODLA_INVALID_PARAM when there is none. NULL handles and pointers are ODLA_INVALID_PARAM.
 */
#ifndef ODLA_IPU_ODLA_VALUE_H
#define ODLA_IPU_ODLA_VALUE_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One entry of a quantization table: the range of a value, or of one channel of it. */
typedef struct {
  odla_value_id value_id;
  int ch_idx;
  odla_float32 scale;
  odla_float32 offset;
  odla_float32 min;
  odla_float32 max;
} odla_value_quant_info;

/**
 * Sets the data of a value made by odla_CreateValue or odla_CreateVariable. The pointer is kept:
 * its elements must stay valid until the value is evaluated or released.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetValueData(
    odla_value value, const odla_void* data_ptr);

/** odla_SetValueData for the value of that id in the current computation. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetValueDataById(
    const odla_value_id value_id, const odla_void* data_ptr);

/**
 * Stores the address of the value's elements in *data_ptr; owned by the value, valid while it
 * lives. ODLA_INVALID_PARAM for a value that has no data yet.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetRawDataPtr(
    const odla_value value, odla_void** data_ptr);

/**
 * Copies the elements of the value of that id into data_ptr, as odla_GetValueData does without a
 * context.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetValueDataById(
    const odla_value_id value_id, odla_void* data_ptr);

/**
 * Stores element type and shape as they were declared or inferred; a dimension not known yet is -1.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetValueType(
    const odla_value value, odla_value_type* value_type);

/** odla_GetValueType for the value of that id in the current computation. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetValueTypeById(
    const odla_value_id value_id, odla_value_type* value_type);

/** Stores the id given when the value was created (NULL when none was); owned by the value. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetValueId(
    const odla_value value, odla_value_id* value_id);

/**
 * Stores the value of that id in the current computation; ODLA_INVALID_PARAM and NULL when there is
 * none.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_FindValueById(
    const odla_value_id value_id, odla_value* value);

/**
 * Appends the value to the outputs of its computation; a value may be an output several times.
 * Between odla_EnterBranchBody and odla_EndIf it is appended to the results of the branch instead.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetValueAsOutput(odla_value value);

/** odla_SetValueAsOutput for each of the values, in order. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetValuesAsOutput(odla_values values);

/** odla_SetValueAsOutput for the value of that id in the current computation. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetValueAsOutputById(const odla_value_id value_id);

/**
 * Frees the data of a value in interpreted execution. The value itself belongs to its computation.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_ReleaseValue(odla_value value);

/** odla_ReleaseValue for the value of that id in the current computation. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_ReleaseValueById(odla_value_id value_id);

/** Prints the elements to stdout as decimal numbers, one a line. */
ODLA_API_EXPORT void ODLA_API_CALL odla_Dump(odla_value value);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_VALUE_H */
