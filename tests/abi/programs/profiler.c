/* odla_profiler.h */
#include "check.h"

CASE(a_run_is_traced) {
  odla_computation c = small_computation();
  odla_context k;
  odla_device_trace trace = NULL;
  const char *json = NULL, *again = NULL;
  OK(odla_CreateContext(&k));
  OK(odla_StartDeviceProfiler(NULL));
  CHECK(small_runs(c, k));
  OK(odla_StopDeviceProfiler(NULL));
  OK(odla_RetrieveDeviceTrace(NULL, &trace));
  OK(odla_ipu_TraceToJSON(trace, &json));
  CHECK(json && strstr(json, "traceEvents") && strstr(json, "\"dur\""));
  OK(odla_ipu_TraceToJSON(trace, &again));
  CHECK(json == again);
  OK(odla_ReleaseDeviceTrace(trace));
  INVALID(odla_ReleaseDeviceTrace(trace));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(start_and_stop_in_the_background) {
  odla_device d;
  odla_computation c = small_computation();
  odla_context k;
  odla_device_trace trace;
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  OK(odla_CreateContext(&k));
  OK(odla_AsyncStartDeviceProfiler(d));
  CHECK(small_runs(c, k));
  OK(odla_AsyncStopDeviceProfiler(d));
  OK(odla_StopDeviceProfiler(d));
  OK(odla_RetrieveDeviceTrace(d, &trace));
  OK(odla_ReleaseDeviceTrace(trace));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
  OK(odla_DestroyDevice(d));
}

CASE(traces) {
  odla_device_trace trace;
  odla_ipu_item item = {"ops", "all"}, bad = {NULL, NULL};
  const char* json = "x";
  OK(odla_CreateDeviceTrace(&trace));
  INVALID(odla_SetDeviceTraceItem(trace, NULL));
  INVALID(odla_SetDeviceTraceItem(trace, (odla_device_trace_item)&bad));
  odla_SetDeviceTraceItem(trace, (odla_device_trace_item)&item);
  INVALID(odla_ipu_TraceToJSON(trace, &json)); /* nothing is in it */
  CHECK(json == NULL);
  INVALID(odla_ipu_TraceToJSON(trace, NULL));
  INVALID(odla_CreateDeviceTrace(NULL));
  REFUSES_HANDLES(odla_device_trace, odla_ReleaseDeviceTrace(handle));
  REFUSES_HANDLES(odla_device_trace, odla_ipu_TraceToJSON(handle, &json));
  REFUSES_HANDLES(odla_device_trace,
                  odla_SetDeviceTraceItem(handle, (odla_device_trace_item)&item));
  OK(odla_ReleaseDeviceTrace(trace));
  INVALID(odla_SetDeviceTraceItem(trace, (odla_device_trace_item)&item));
}

CASE(misuse_of_the_profiler) {
  odla_device d;
  odla_device_trace trace = (odla_device_trace)&something;
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  OK(odla_DestroyDevice(d));
  INVALID(odla_StartDeviceProfiler(d));
  INVALID(odla_StopDeviceProfiler(d));
  INVALID(odla_AsyncStartDeviceProfiler(d));
  INVALID(odla_AsyncStopDeviceProfiler(d));
  INVALID(odla_RetrieveDeviceTrace(d, &trace));
  CHECK(trace == NULL);
  INVALID(odla_RetrieveDeviceTrace(NULL, NULL));
  INVALID(odla_StartDeviceProfiler((odla_device)&something));
}
