// What every function of the library uses: failures, the logger, the way into Python.
#ifndef ODLA_IPU_SUPPORT_H
#define ODLA_IPU_SUPPORT_H

#include <functional>
#include <new>
#include <stdexcept>

#include "handles.h"

namespace odla_ipu {

// A failure on its way to the caller.
struct Failure : std::runtime_error {
  Failure(odla_status status, const std::string& message)
      : std::runtime_error(message), status(status) {}
  odla_status status;
};

[[noreturn]] inline void invalid(const std::string& message) {
  throw Failure(ODLA_INVALID_PARAM, message);
}

// Of the calling thread: the message of its last failure, and of its last op that failed, which the
// NULL that it gave stands for.
struct ThreadState {
  std::string last_error;
  std::string failed_op;
  odla_status failed_status = ODLA_SUCCESS;
  bool follows = false;  // the failure being handled follows from that one
  std::weak_ptr<Computation> current;
  bool interprets = false;  // odla_CreateValue was called since a computation became current
  std::shared_ptr<Device> device;
};
ThreadState& thread_state();

// Records the failure, logs it and gives its status.
odla_status report(const char* function, odla_status status, const std::string& message);
void log_message(odla_log_level level, const char* file, int line, const char* function,
                 const std::string& message);

// The status of what is being handled in a catch clause, after it was reported.
odla_status report_exception(const char* function);

template <class Body>
odla_status guarded(const char* function, Body&& body) noexcept {
  try {
    thread_state().follows = false;
    body();
    return ODLA_SUCCESS;
  } catch (...) {
    return report_exception(function);
  }
}

// What a handle stands for; a failure that names the parameter where it stands for nothing.
template <class T>
std::shared_ptr<T> require(const void* handle, const char* parameter, const char* maker) {
  auto object = find<T>(handle);
  if (!object)
    invalid(std::string(parameter) + " is " + describe_handle(handle) +
            "; accepted: what " + maker + " gave, until it is destroyed");
  return object;
}
std::shared_ptr<Value> require_value(const void* handle, const char* parameter);
inline std::shared_ptr<Computation> require_computation(const void* handle) {
  return require<Computation>(handle, "computation", "odla_CreateComputation");
}
inline std::shared_ptr<Context> require_context(const void* handle) {
  return require<Context>(handle, "context", "odla_CreateContext");
}
template <class T>
void require_pointer(T* pointer, const char* parameter) {
  if (pointer == nullptr)
    invalid(std::string(parameter) + " is NULL; accepted: the address of what it stores");
}

std::string shape_text(const odla_value_shape& shape);
// Fails for a rank that no shape has; -1 is undefined and allowed only where that is said.
void check_shape(const odla_value_shape& shape, const char* parameter, bool may_be_undefined);
void check_type(const odla_value_type& type, const char* parameter);
int64_t bytes_of(odla_element_type type);
// Bytes of a value; -1 while a dimension is open.
int64_t bytes_of(const odla_value_type& type);

// Python.

// The Python side; started by the first call.  Fails with ODLA_DL_ERROR where it cannot start.
const odla_ipu_bridge& python();
bool python_is_running();
// To be called when the device's engine may have been loaded.
void engine_is_loaded();
// Throws what a failed call has to say.
void check_reply(const odla_ipu_reply& reply);

inline odla_ipu_slot slot(int64_t number) {
  odla_ipu_slot one;
  one.number = number;
  return one;
}
inline odla_ipu_slot slot(double real) {
  odla_ipu_slot one;
  one.real = real;
  return one;
}
inline odla_ipu_slot slot(const void* pointer) {
  odla_ipu_slot one;
  one.pointer = pointer;
  return one;
}

// Calls a function of Python; the reply is checked.
struct Call {
  odla_ipu_reply reply;
  Call() { reply.status = ODLA_INTERNAL_LOGIC_ERR; reply.message = "Python gave no reply"; reply.results_size = 0; }
  Call(const Call&) = delete;
  template <class... Slots>
  odla_ipu_reply& operator()(int32_t function, Slots... slots) {
    odla_ipu_slot list[sizeof...(slots) + 1] = {slots...};
    python().call(function, list, &reply);
    check_reply(reply);
    if (function == ODLA_IPU_COMPILE || function == ODLA_IPU_LOAD || function == ODLA_IPU_VALUE_DATA)
      engine_is_loaded();
    return reply;
  }
};

// While it lives, the calling thread does not hold Python's interpreter lock.
class WithoutInterpreterLock {
 public:
  WithoutInterpreterLock();
  ~WithoutInterpreterLock();

 private:
  void* state_ = nullptr;
};

// The computation that ops of this thread go to; null: none is there, or the thread interprets.
std::shared_ptr<Computation> current_computation();
std::shared_ptr<Computation> require_current();
void make_current(const std::shared_ptr<Computation>& computation);
std::vector<std::shared_ptr<Computation>> live_computations();
void add_live(const std::shared_ptr<Computation>& computation, void* handle);
void* handle_of(const std::shared_ptr<Computation>& computation);
void remove_live(const Computation* computation);

// A new value for what Python has made.
odla_value new_value(const std::shared_ptr<Computation>& owner, const odla_ipu_result& result,
                     const Id& id, std::shared_ptr<Value>* made = nullptr);
// An id as compilers write names: other characters than those of identifiers become underscores,
// and a leading digit gets a prefix.
std::string normalised(const std::string& id);
// The computation of an executable.
std::shared_ptr<Computation> program_of(const odla_executable executable);
std::shared_ptr<Value> find_value_by_id(const odla_value_id id);

// Runs the body of a function that gives a value; on failure NULL, which later calls can explain.
template <class Body>
odla_value guarded_value(const char* function, Body&& body) noexcept;
template <class Body>
odla_values guarded_values(const char* function, Body&& body) noexcept;
void op_failed(odla_status status);

void shut_down();
void end_python();

template <class Body>
odla_value guarded_value(const char* function, Body&& body) noexcept {
  odla_value result = nullptr;
  odla_status status = guarded(function, [&] { result = body(); });
  if (status == ODLA_SUCCESS) return result;
  op_failed(status);
  return nullptr;
}

template <class Body>
odla_values guarded_values(const char* function, Body&& body) noexcept {
  odla_values result{};
  odla_status status = guarded(function, [&] { body(result); });
  if (status == ODLA_SUCCESS) return result;
  op_failed(status);
  return odla_values{};
}

}  // namespace odla_ipu

#endif
