/*
 * Traces of what a device does: runs, and on the simulator each op with its time. All devices of a
 * kind (simulated, attached, modelled) are recorded together. NULL handles and pointers are
 * ODLA_INVALID_PARAM, but a NULL device is the current or default one.
 */
#ifndef ODLA_IPU_ODLA_PROFILER_H
#define ODLA_IPU_ODLA_PROFILER_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A recording. */
typedef struct _odla_device_trace* odla_device_trace;

/** What a recording can hold. */
typedef struct _odla_device_trace_item* odla_device_trace_item;

/**
 * Stores a new, empty trace, to be freed by odla_ReleaseDeviceTrace. odla_RetrieveDeviceTrace gives
 * those with something in them, which odla_ipu_TraceToJSON takes.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_CreateDeviceTrace(odla_device_trace* device_trace);

/**
 * Adds a note to the trace, such as the name of a model. The item is the address of an odla_ipu_item
 * (odla_ipu.h): two texts, which are copied; odla_ipu_TraceToJSON has them under "otherData". No
 * variable arguments are read.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetDeviceTraceItem(
    odla_device_trace device_trace, odla_device_trace_item device_trace_item, ...);

/** Frees a trace. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_ReleaseDeviceTrace(odla_device_trace device_trace);

/**
 * Starts recording on the device and returns when it records: after a run that is under way.
 * ODLA_INVALID_PARAM while it is recorded already.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_StartDeviceProfiler(odla_device device);

/**
 * Asks the device to start recording and returns at once. Such requests happen in the order of
 * their calls, and before what is asked of the profiler afterwards.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_AsyncStartDeviceProfiler(odla_device device);

/**
 * Stops recording and returns when the trace is complete, which one that was stopped before is.
 * ODLA_INVALID_PARAM when nothing was recorded.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_StopDeviceProfiler(odla_device device);

/** Asks the device to stop recording and returns at once. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_AsyncStopDeviceProfiler(odla_device device);

/**
 * Stores the trace recorded last, to be freed by odla_ReleaseDeviceTrace; odla_ipu_TraceToJSON reads
 * it out. ODLA_INVALID_PARAM when nothing was recorded.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_RetrieveDeviceTrace(
    odla_device device, odla_device_trace* device_trace);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_PROFILER_H */
