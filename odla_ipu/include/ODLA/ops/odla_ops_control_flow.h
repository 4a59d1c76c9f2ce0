/* Conditionals and loops. */
#ifndef ODLA_IPU_OPS_ODLA_OPS_CONTROL_FLOW_H
#define ODLA_IPU_OPS_ODLA_OPS_CONTROL_FLOW_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a loop's result holds. */
typedef enum {
  ODLA_LOOP_LAST_VALUE = 0, /**< the value after the last iteration */
  ODLA_LOOP_FWD_BEFORE = 1, /**< the values at the start of each iteration */
  ODLA_LOOP_FWD_AFTER = 2,  /**< the values at the end of each iteration */
  ODLA_LOOP_REV_BEFORE = 3, /**< ODLA_LOOP_FWD_BEFORE, the last one first */
  ODLA_LOOP_REV_AFTER = 4,  /**< ODLA_LOOP_FWD_AFTER, the last one first */
} odla_loop_output_mode;

/** A value carried from one iteration to the next; init_value in the first. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_CreateLoopVariable(
    odla_value init_value, odla_value_id value_id);

/**
 * Opens the body of a loop that runs trip_count times (one integer) at most: what follows up to
 * odla_EndLoop belongs to it.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BeginLoop(
    odla_value trip_count, odla_value_id value_id);

/**
 * Closes the body. The loop goes on while condition (one BOOL; NULL: true) holds. flags has one
 * mode for each output value; a mode other than ODLA_LOOP_LAST_VALUE adds a result with the values
 * of all iterations.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_EndLoop(
    odla_value condition, odla_values output_values, const odla_loop_output_mode* flags,
    odla_value_ids value_ids);

/**
 * Opens a conditional; condition is one BOOL element. Both branches follow, each opened by
 * odla_EnterBranchBody; conditionals nest.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BeginIf(
    odla_value condition, odla_value_id value_id);

/**
 * Opens the branch for a true (1) or a false (0) condition; its results are declared by
 * odla_SetValueAsOutput. A branch may use any value created before odla_BeginIf.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_EnterBranchBody(odla_bool true_branch);

/**
 * Closes the conditional; values[i] is the i-th result of the branch that was taken. Both branches
 * have results of the same types.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_EndIf(odla_value_ids value_ids);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_CONTROL_FLOW_H */
