/* Functions on values that run on a device, at once or later. */
#ifndef ODLA_IPU_ODLA_TASK_H
#define ODLA_IPU_ODLA_TASK_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A function, the values it reads and the values it sets. */
typedef struct {
  void (*func)(odla_device, odla_values inputs, odla_values outputs);
  odla_values inputs;
  odla_values outputs;
} odla_task;

/** Runs runner(device, task) some time, such as on another thread. */
typedef odla_status (*odla_async_executor)(odla_status (*runner)(odla_device, odla_task),
                                           odla_device device, odla_task task);

/**
 * Sets the function that odla_RunTaskAsync hands tasks to, such as a thread pool's; NULL for the
 * library's own.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetAsyncExecutor(odla_async_executor executor);

/** Calls task.func(device, task.inputs, task.outputs) and returns when it has returned. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_RunTask(odla_device device, odla_task task);

/** Queues the task; odla_GetValueData on one of its outputs waits for it. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_RunTaskAsync(odla_device device, odla_task task);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_TASK_H */
