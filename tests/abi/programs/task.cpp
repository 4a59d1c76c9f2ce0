// odla_task.h
#include "check.h"

#include <stdexcept>
#include <thread>
#include <vector>

static void doubles(odla_device, odla_values inputs, odla_values outputs) {
  odla_value sum = odla_Add(inputs.values[0], inputs.values[0], nullptr);
  static thread_local float memory[64][2];
  static thread_local int next;
  float* mine = memory[next++ % 64];
  odla_GetValueData(sum, mine, nullptr);
  odla_SetValueData(outputs.values[0], mine);
}

static void throws(odla_device, odla_values, odla_values) { throw std::runtime_error("oh no"); }
static void throws_a_number(odla_device, odla_values, odla_values) { throw 7; }

static odla_task task_of(void (*function)(odla_device, odla_values, odla_values), odla_value in,
                         odla_value out) {
  odla_task task;
  task.func = function;
  task.inputs = values_of(1, in);
  task.outputs = values_of(1, out);
  return task;
}

static odla_value value_with(const float* data, const char* id) {
  odla_value value = odla_CreateValue(floats(2), ID(id));
  OK(odla_SetValueData(value, data));
  return value;
}

CASE(a_task_runs) {
  const float in[2] = {1, 2}, wanted[2] = {2, 4};
  float out[2];
  odla_value x = value_with(in, "x"), y = odla_CreateValue(floats(2), ID("y"));
  OK(odla_RunTask(nullptr, task_of(doubles, x, y)));
  OK(odla_GetValueData(y, out, nullptr));
  NEAR(out, wanted, 2);
}

CASE(a_task_runs_later) {
  const float in[2] = {1, 2}, wanted[2] = {8, 16};
  float out[2];
  odla_value x = value_with(in, "x"), y = odla_CreateValue(floats(2), ID("y")),
             z = odla_CreateValue(floats(2), ID("z")), w = odla_CreateValue(floats(2), ID("w"));
  OK(odla_RunTaskAsync(nullptr, task_of(doubles, x, y)));
  OK(odla_RunTaskAsync(nullptr, task_of(doubles, y, z)));
  OK(odla_RunTaskAsync(nullptr, task_of(doubles, z, w)));
  OK(odla_GetValueData(w, out, nullptr));
  NEAR(out, wanted, 2);
}

CASE(tasks_may_throw) {
  const float in[2] = {1, 2};
  float out[2];
  odla_value x = value_with(in, "x"), y = odla_CreateValue(floats(2), ID("y"));
  STATUS(ODLA_FAILURE, odla_RunTask(nullptr, task_of(throws, x, y)));
  SAYS("oh no");
  STATUS(ODLA_FAILURE, odla_RunTask(nullptr, task_of(throws_a_number, x, y)));
  OK(odla_RunTaskAsync(nullptr, task_of(throws, x, y)));
  CHECK(odla_GetValueData(y, out, nullptr) == ODLA_FAILURE); // once
  OK(odla_RunTask(nullptr, task_of(doubles, x, y)));
  OK(odla_GetValueData(y, out, nullptr));
}

CASE(misuse_of_tasks) {
  odla_task task = task_of(nullptr, nullptr, nullptr);
  INVALID(odla_RunTask(nullptr, task));
  INVALID(odla_RunTaskAsync(nullptr, task));
  SAYS("task.func is NULL");
  task.func = doubles;
  task.inputs.size = 65;
  INVALID(odla_RunTask(nullptr, task));
  task.inputs.size = static_cast<odla_size_t>(-1);
  INVALID(odla_RunTaskAsync(nullptr, task));
  task.inputs.size = 1;
  INVALID(odla_RunTask((odla_device)&something, task));
  INVALID(odla_RunTaskAsync((odla_device)&something, task));
  OK(odla_RunTask(nullptr, task)); // of NULL values: what it does with them is its own affair
}

struct Handed {
  odla_status (*runner)(odla_device, odla_task);
  odla_device device;
  odla_task task;
};
static std::vector<Handed> handed;

static odla_status keeps(odla_status (*runner)(odla_device, odla_task), odla_device device,
                         odla_task task) {
  handed.push_back({runner, device, task});
  return ODLA_SUCCESS;
}
static odla_status in_a_thread(odla_status (*runner)(odla_device, odla_task), odla_device device,
                               odla_task task) {
  std::thread([=] { runner(device, task); }).detach();
  return ODLA_SUCCESS;
}
static odla_status refuses(odla_status (*)(odla_device, odla_task), odla_device, odla_task) {
  return ODLA_TIMEOUT;
}
static odla_status executor_throws(odla_status (*)(odla_device, odla_task), odla_device,
                                   odla_task) {
  throw std::runtime_error("executor");
}

CASE(executors) {
  const float in[2] = {1, 2}, wanted[2] = {2, 4};
  float out[2] = {0, 0};
  odla_value x = value_with(in, "x"), y = odla_CreateValue(floats(2), ID("y"));
  OK(odla_SetAsyncExecutor(keeps));
  OK(odla_RunTaskAsync(nullptr, task_of(doubles, x, y)));
  CHECK(handed.size() == 1);
  OK(handed[0].runner(handed[0].device, handed[0].task));
  OK(odla_GetValueData(y, out, nullptr));
  NEAR(out, wanted, 2);
  // One that nobody has begun is done by who waits; the executor's own try comes too late.
  OK(odla_RunTaskAsync(nullptr, task_of(doubles, y, x)));
  OK(odla_GetValueData(x, out, nullptr));
  CHECK(out[0] == 4);
  OK(handed[1].runner(handed[1].device, handed[1].task));
  OK(odla_SetAsyncExecutor(in_a_thread));
  y = odla_CreateValue(floats(2), ID("y2"));
  OK(odla_RunTaskAsync(nullptr, task_of(doubles, x, y)));
  OK(odla_GetValueData(y, out, nullptr));
  CHECK(out[0] == 8);
  OK(odla_SetAsyncExecutor(refuses));
  STATUS(ODLA_TIMEOUT, odla_RunTaskAsync(nullptr, task_of(doubles, x, y)));
  OK(odla_SetAsyncExecutor(executor_throws));
  STATUS(ODLA_FAILURE, odla_RunTaskAsync(nullptr, task_of(doubles, x, y)));
  OK(odla_SetAsyncExecutor(nullptr));
  OK(odla_RunTaskAsync(nullptr, task_of(doubles, x, y)));
  OK(odla_GetValueData(y, out, nullptr));
}

static int callback_throws(void*, odla_status) { throw std::runtime_error("callback"); }

CASE(callbacks_may_throw) {
  odla_computation c = small_computation();
  odla_context k;
  const float in[3] = {1, 1, 1};
  float out[3] = {0, 0, 0};
  int argument = 0;
  OK(odla_CreateContext(&k));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)callback_throws));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&argument));
  INVALID(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, nullptr));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, nullptr));
  OK(odla_DestroyComputation(c));
  CHECK(out[2] == 4);
  OK(odla_DestroyContext(k));
}
