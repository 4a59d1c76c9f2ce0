/* What this library offers beyond ODLA 0.5. odla.h does not include it. */
#ifndef ODLA_IPU_ODLA_IPU_H
#define ODLA_IPU_ODLA_IPU_H

#include <ODLA/odla.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The whole message of the last failure on the calling thread: the function, what was given, what
 * is accepted, the way out. "" when nothing has failed yet. Valid until the thread's next failure.
 */
ODLA_API_EXPORT const odla_char* ODLA_API_CALL odla_ipu_LastError(void);

/**
 * The bytes that odla_StoreExecutable or odla_StoreComputation needs for ODLA_LOCATION_MEMORY. The
 * handle is that of an executable or a computation; 0 on failure.
 */
ODLA_API_EXPORT odla_size_t ODLA_API_CALL odla_ipu_StoredSize(const void* handle);

/**
 * Stores the address of the trace in Chrome's trace format: text with the time of each op that ran.
 * It belongs to the trace. ODLA_INVALID_PARAM for an empty trace.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_ipu_TraceToJSON(
    odla_device_trace device_trace, const odla_char** json);

/**
 * Adds a constant to a set, or replaces the one of that id: odla_AsyncLaunchExecutable takes it in
 * place of the computation's. The elements are copied during the call.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_ipu_SetConstant(
    odla_constants_array constants_array, const odla_char* id, odla_value_type value_type,
    const odla_void* data_ptr);

/** One option for odla_SetDeviceConfigItem or odla_SetDeviceTraceItem, which take its address. */
typedef struct {
  const odla_char* key;
  const odla_char* value;
} odla_ipu_item;

/**
 * For odla_SetComputationItem: how ODLA_COMPUTE_TRAINING changes the variables. The value is the
 * text itself, "SGD(learning_rate=0.1, momentum=0.9)" or "Adam(learning_rate=0.001)"; numbers that
 * are left out have defaults. May be set again between runs: other numbers count from the next one,
 * another optimizer starts anew.
 */
#define ODLA_IPU_OPTIMIZER ((odla_item_type)2001)

/** Makes the computation the current one of the calling thread. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetActiveComputation(odla_computation computation);

/** The former spelling of odla_BatchMatMul. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_BatchMatmul(
    odla_value A, odla_bool A_transpose, odla_value B, odla_bool B_transpose,
    odla_value_shape output_dims, const odla_value_id value_id);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_IPU_H */
