/* Ops that ODLA does not name. */
#ifndef ODLA_IPU_OPS_ODLA_OPS_CUSTOM_H
#define ODLA_IPU_OPS_ODLA_OPS_CUSTOM_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An op of the library's own, one result for each id; which variable arguments follow depends on
 * op_name. function_name tells instances apart, NULL is allowed. For a name that is not known the
 * result has size 0.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_CustomOp(
    odla_values inputs, const odla_char* op_name, const odla_char* function_name,
    const odla_value_ids ids, ...);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_CUSTOM_H */
