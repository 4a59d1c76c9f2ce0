/* Ops that ODLA does not name. */
#ifndef ODLA_IPU_OPS_ODLA_OPS_CUSTOM_H
#define ODLA_IPU_OPS_ODLA_OPS_CUSTOM_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An op that ODLA has no function for, by its name; docs/c-library.md lists them. inputs are
 * its values in order; NULL stands for an optional one that is absent.
 *
 * The variable arguments are the op's attributes, all of them, in the order of its declaration, each
 * as C's promotions make it:
 *
 *   int            a flag, an enumerator, an element type, a 32-bit integer
 *   unsigned int   a 32-bit unsigned integer
 *   int64_t        a 64-bit integer
 *   double         a real number: float is promoted
 *   const char*    a text
 *   size_t, const int64_t*   a list of integers: how many, and where they are
 *   size_t, const double*    a list of real numbers
 *
 * For example DetectionOutput, of an SSD network, has the inputs loc, conf and priorbox and nine
 * variable arguments: int background_label, double confidence_threshold, int keep_top_k,
 * int num_classes, int share_location, int code_type, double nms_threshold, int nms_top_k,
 * double nms_eta.
 *
 * An op with several results gives all of them, whatever the number of ids: DetectionOutput the
 * number of objects of each image at index 0 and the objects at index 1. ids[i] names the i-th; a
 * single id names them all, and odla_BindToOutputById takes it once for each that is an output.
 * function_name is not used and may be NULL. For a name that is not known the result has size 0 and
 * the variable arguments are not read.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_CustomOp(
    odla_values inputs, const odla_char* op_name, const odla_char* function_name,
    const odla_value_ids ids, ...);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_CUSTOM_H */
