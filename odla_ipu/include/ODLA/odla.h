/* ODLA, the Open Deep Learning API, version 0.5: everything. C99 or later, C++11 or later. */
#ifndef ODLA_IPU_ODLA_H
#define ODLA_IPU_ODLA_H

#include <ODLA/odla_common.h>
#include <ODLA/odla_compute.h>
#include <ODLA/odla_device.h>
#include <ODLA/odla_log.h>
#include <ODLA/odla_memory.h>
#include <ODLA/odla_profiler.h>
#include <ODLA/odla_task.h>
#include <ODLA/odla_value.h>
#include <ODLA/odla_version.h>
#include <ODLA/ops/odla_ops_basic.h>
#include <ODLA/ops/odla_ops_control_flow.h>
#include <ODLA/ops/odla_ops_custom.h>
#include <ODLA/ops/odla_ops_math.h>
#include <ODLA/ops/odla_ops_nn.h>
#include <ODLA/ops/odla_ops_process.h>
#include <ODLA/ops/odla_ops_quantization.h>

#endif /* ODLA_IPU_ODLA_H */
