// Tasks that are to be done before what they compute is read.
#ifndef ODLA_IPU_TASK_H
#define ODLA_IPU_TASK_H

#include "objects.h"

namespace odla_ipu {

// Returns when no task that has the value among its outputs is open; one that nobody has begun is
// done here.  Fails where the task failed.
void wait_for_tasks(odla_value value);
void copy_value_data(const std::shared_ptr<Value>& value, void* target);
odla_value interpreted_handle(const std::shared_ptr<Value>& value);

}  // namespace odla_ipu

#endif
