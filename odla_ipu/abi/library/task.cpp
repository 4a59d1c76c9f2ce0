// Functions on values that run on a device, at once or later.  odla_task.h
#include "task.h"

#include <algorithm>
#include <cstring>
#include <list>

#include "queue.h"
#include "support.h"

namespace odla_ipu {

namespace {

struct Pending {
  odla_device device;
  odla_task task;
  enum { open, running, done } state = open;
  std::thread::id runner;
  odla_status status = ODLA_SUCCESS;
};

struct Tasks {
  std::mutex mutex;
  std::condition_variable changed;
  std::list<std::shared_ptr<Pending>> all;  // in the order of the calls; those that failed stay
  odla_async_executor executor = nullptr;
  std::shared_ptr<Queue> queue;
};

Tasks& tasks() {
  static Tasks* one = new Tasks;
  return *one;
}

bool holds(const odla_values& values, odla_value value) {
  return std::find(values.values, values.values + values.size, value) != values.values + values.size;
}

bool same(const odla_values& a, const odla_values& b) {
  return a.size == b.size && std::equal(a.values, a.values + a.size, b.values);
}

void check(const odla_task& task) {
  if (task.func == nullptr) invalid("task.func is NULL; accepted: a function");
  for (const odla_values* values : {&task.inputs, &task.outputs})
    if (values->size > ODLA_MAX_OUTPUTS)
      invalid("a task has " + std::to_string(values->size) + " values; accepted: 0 to " +
              std::to_string(ODLA_MAX_OUTPUTS));
}

// A task's function is the program's: what it throws ends here.
odla_status call(odla_device device, const odla_task& task) {
  try {
    task.func(device, task.inputs, task.outputs);
    return ODLA_SUCCESS;
  } catch (const std::exception& error) {
    return report("odla_RunTask", ODLA_FAILURE, std::string("the task threw: ") + error.what());
  } catch (...) {
    return report("odla_RunTask", ODLA_FAILURE, "the task threw an exception");
  }
}

bool begin(const std::shared_ptr<Pending>& one) {
  if (one->state != Pending::open) return false;
  one->state = Pending::running;
  one->runner = std::this_thread::get_id();
  return true;
}

using Lock = std::unique_lock<std::mutex>;

odla_status run(const std::shared_ptr<Pending>& one);

// Returns when the task is done; does it here when nobody has begun it.
void settle(const std::shared_ptr<Pending>& one, Lock& lock) {
  if (begin(one)) {
    lock.unlock();
    run(one);
  } else {
    WithoutInterpreterLock unlocked;
    tasks().changed.wait(lock, [&] { return one->state == Pending::done; });
    lock.unlock();
  }
  lock.lock();
}

bool is_own(const Pending& one) {
  return one.state == Pending::running && one.runner == std::this_thread::get_id();
}

// Settles the tasks of earlier calls that set what this one reads; their status.
odla_status settle_inputs(const std::shared_ptr<Pending>& one) {
  Tasks& t = tasks();
  Lock lock(t.mutex);
  const odla_values& inputs = one->task.inputs;
  while (true) {
    auto itself = std::find(t.all.begin(), t.all.end(), one);
    auto found = std::find_if(t.all.begin(), itself, [&](const auto& other) {
      return !is_own(*other) &&
             std::any_of(inputs.values, inputs.values + inputs.size,
                         [&](odla_value input) { return holds(other->task.outputs, input); });
    });
    if (found == itself) return ODLA_SUCCESS;
    auto other = *found;
    if (other->state != Pending::done) settle(other, lock);
    if (other->status != ODLA_SUCCESS) return other->status;
  }
}

odla_status run(const std::shared_ptr<Pending>& one) {
  odla_status status = settle_inputs(one);
  if (status == ODLA_SUCCESS) status = call(one->device, one->task);
  Tasks& t = tasks();
  std::lock_guard<std::mutex> lock(t.mutex);
  one->state = Pending::done;
  one->status = status;
  if (status == ODLA_SUCCESS) t.all.remove(one);
  t.changed.notify_all();
  return status;
}

// What executors of the program's call: does the first open task that is this one.  One that was
// waited for is done already.
odla_status runner(odla_device device, odla_task task) {
  std::shared_ptr<Pending> found;
  {
    Tasks& t = tasks();
    std::lock_guard<std::mutex> lock(t.mutex);
    for (auto& one : t.all)
      if (one->task.func == task.func && one->device == device &&
          same(one->task.inputs, task.inputs) && same(one->task.outputs, task.outputs) &&
          begin(one)) {
        found = one;
        break;
      }
  }
  return found ? run(found) : ODLA_SUCCESS;
}

}  // namespace

void wait_for_tasks(odla_value value) {
  Tasks& t = tasks();
  Lock lock(t.mutex);
  while (true) {
    auto found = std::find_if(t.all.begin(), t.all.end(), [&](const auto& one) {
      return !is_own(*one) && holds(one->task.outputs, value);
    });
    if (found == t.all.end()) return;
    auto one = *found;
    if (one->state != Pending::done) settle(one, lock);
    if (one->status != ODLA_SUCCESS) {
      t.all.remove(one);
      throw Failure(one->status, "the task that computes the value failed");
    }
  }
}

}  // namespace odla_ipu

using namespace odla_ipu;

extern "C" {

odla_status odla_SetAsyncExecutor(odla_async_executor executor) {
  return guarded(__func__, [&] {
    std::lock_guard<std::mutex> lock(tasks().mutex);
    tasks().executor = executor;
  });
}

odla_status odla_RunTask(odla_device device, odla_task task) {
  odla_status status = ODLA_SUCCESS;
  odla_status checked = guarded(__func__, [&] {
    check(task);
    if (device) require<Device>(device, "device", "odla_AllocateDevice");
    status = call(device, task);
  });
  return checked == ODLA_SUCCESS ? status : checked;
}

odla_status odla_RunTaskAsync(odla_device device, odla_task task) {
  return guarded(__func__, [&] {
    check(task);
    if (device) require<Device>(device, "device", "odla_AllocateDevice");
    auto one = std::make_shared<Pending>();
    one->device = device;
    one->task = task;
    odla_async_executor executor;
    std::shared_ptr<Queue> queue;
    {
      Tasks& t = tasks();
      std::lock_guard<std::mutex> lock(t.mutex);
      t.all.push_back(one);
      executor = t.executor;
      if (!executor && !t.queue) t.queue = Queue::make();
      queue = t.queue;
    }
    if (!executor) {
      queue->add([device, task] { runner(device, task); });
      return;
    }
    odla_status status = ODLA_FAILURE;
    try {
      status = executor(runner, device, task);
    } catch (...) {
    }
    if (status == ODLA_SUCCESS) return;
    std::lock_guard<std::mutex> lock(tasks().mutex);
    if (one->state == Pending::open) tasks().all.remove(one);
    throw Failure(status, "the executor set by odla_SetAsyncExecutor refused the task");
  });
}

}  // extern "C"
