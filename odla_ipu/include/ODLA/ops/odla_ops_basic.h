/* Arguments, constants and variables. value_id may be NULL; NULL is returned on failure. */
#ifndef ODLA_IPU_OPS_ODLA_OPS_BASIC_H
#define ODLA_IPU_OPS_ODLA_OPS_BASIC_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An argument of the computation, bound by its id or by its place in the order of creation.
 * Dimensions may be -1: unknown until a run.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CreateArgument(
    const odla_value_type value_type, const odla_value_id value_id);

/** A value for interpreted execution; its elements come from odla_SetValueData. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CreateValue(
    const odla_value_type value_type, const odla_value_id value_id);

/**
 * A constant; the elements are copied during the call. Without elements (a dimension is 0) data_ptr
 * is not read.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CreateConstant(
    const odla_value_type value_type, const odla_void* data_ptr, const odla_value_id value_id);

/** A new value with the elements of src_value. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CloneValue(
    const odla_value src_value, const odla_value_id value_id);

/** odla_CloneValue of the value of that id in the current computation. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CloneValueById(
    const odla_value_id src_value_id, const odla_value_id value_id);

/** A variable: zeros at the start, set by odla_SetValueData, changed by training. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CreateVariable(
    const odla_value_type value_type, const odla_value_id value_id);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_BASIC_H */
