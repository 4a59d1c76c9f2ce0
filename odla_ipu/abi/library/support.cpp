#include "support.h"

#include <cstdio>
#include <cstring>
#include <ctime>
#include <unistd.h>

namespace odla_ipu {

ThreadState& thread_state() {
  static thread_local ThreadState state;
  return state;
}

// The logger.

namespace {

std::atomic<int> log_level{ODLA_LOG_LEVEL_ERROR};

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

void default_logger(const char* file, int line, const char*, odla_log_level level,
                    const char* message) {
  if (level > log_level.load() || level <= ODLA_LOG_LEVEL_OFF || level > ODLA_LOG_LEVEL_TRACE)
    return;
  std::fprintf(stderr, "%s:%d %c %s\n", file ? base_name(file) : "", line, "-FEWIDT"[level],
               message ? message : "");
}

std::atomic<odla_logging_func> logger{default_logger};

}  // namespace

void log_message(odla_log_level level, const char* file, int line, const char* function,
                 const std::string& message) {
  try {
    logger.load()(file, line, function, level, message.c_str());
  } catch (...) {
    // A logger of the program's that throws must not end it.
  }
}

int32_t has_own_logger() { return logger.load() != default_logger; }

// Failures.

odla_status report(const char* function, odla_status status, const std::string& message) {
  std::string whole = std::string(function) + ": " + message;
  log_message(ODLA_LOG_LEVEL_ERROR, "odla_ipu", 0, function, whole);
  thread_state().last_error = std::move(whole);
  return status;
}

odla_status report_exception(const char* function) {
  try {
    throw;
  } catch (const Failure& failure) {
    return report(function, failure.status, failure.what());
  } catch (const std::bad_alloc&) {
    return report(function, ODLA_MEM_ERROR, "the host's memory is exhausted");
  } catch (const std::exception& error) {
    return report(function, ODLA_INTERNAL_LOGIC_ERR, error.what());
  } catch (...) {
    return report(function, ODLA_INTERNAL_LOGIC_ERR, "an unknown exception");
  }
}

void op_failed(odla_status status) {
  ThreadState& state = thread_state();
  if (state.follows) {
    state.follows = false;
    return;
  }
  state.failed_status = status;
  state.failed_op = state.last_error;
  try {
    if (auto computation = current_computation()) computation->failed(status, state.last_error);
  } catch (...) {
  }
}

void check_reply(const odla_ipu_reply& reply) {
  if (reply.status == ODLA_SUCCESS) return;
  auto status = static_cast<odla_status>(reply.status);
  throw Failure(status, reply.message ? reply.message : "no message");
}

std::shared_ptr<Value> require_value(const void* handle, const char* parameter) {
  auto value = find<Value>(handle);
  if (value) return value;
  ThreadState& state = thread_state();
  if (handle == nullptr && state.failed_status != ODLA_SUCCESS) {
    state.follows = true;
    throw Failure(state.failed_status, std::string(parameter) +
                                           " is NULL since what should have made it failed: " +
                                           state.failed_op);
  }
  invalid(std::string(parameter) + " is " + describe_handle(handle) +
          "; accepted: a value of a computation that is not destroyed");
}

// Types.

std::string shape_text(const odla_value_shape& shape) {
  std::string text = "[";
  for (int axis = 0; axis < shape.size && axis < ODLA_MAX_DIMENSION; ++axis) {
    if (axis) text += ",";
    text += shape.dims[axis] == -1 ? "?" : std::to_string(shape.dims[axis]);
  }
  return text + "]";
}

void check_shape(const odla_value_shape& shape, const char* parameter, bool may_be_undefined) {
  if (shape.size == -1 && may_be_undefined) return;
  if (shape.size < 0 || shape.size > ODLA_MAX_DIMENSION)
    invalid(std::string(parameter) + " has size " + std::to_string(shape.size) +
            "; accepted: 0 to " + std::to_string(ODLA_MAX_DIMENSION) +
            (may_be_undefined ? ", and -1 for an undefined shape" : ""));
}

void check_type(const odla_value_type& type, const char* parameter) {
  if (type.element_type < ODLA_INT8 || type.element_type > ODLA_STRING)
    throw Failure(ODLA_UNSUPPORTED_DATATYPE, std::string(parameter) + " has element type " +
                                                 std::to_string(type.element_type) +
                                                 "; accepted: a member of odla_element_type");
  check_shape(type.shape, parameter, false);
}

int64_t bytes_of(odla_element_type type) {
  switch (type) {
    case ODLA_INT8: case ODLA_UINT8: case ODLA_QINT8: case ODLA_QUINT8: case ODLA_BOOL:
      return 1;
    case ODLA_INT16: case ODLA_UINT16: case ODLA_QINT16: case ODLA_QUINT16:
    case ODLA_FLOAT16: case ODLA_BFLOAT16:
      return 2;
    case ODLA_INT32: case ODLA_UINT32: case ODLA_QINT32: case ODLA_QUINT32: case ODLA_FLOAT32:
      return 4;
    default:
      return 8;
  }
}

int64_t bytes_of(const odla_value_type& type) {
  int64_t bytes = bytes_of(type.element_type);
  for (int axis = 0; axis < type.shape.size; ++axis) {
    if (type.shape.dims[axis] < 0) return -1;
    if (__builtin_mul_overflow(bytes, type.shape.dims[axis], &bytes)) return -1;
  }
  return bytes;
}

}  // namespace odla_ipu

// Functions of odla_log.h.

using namespace odla_ipu;

extern "C" {

odla_status odla_SetLogLevel(odla_log_level level) {
  return guarded(__func__, [&] {
    if (level < ODLA_LOG_LEVEL_OFF || level > ODLA_LOG_LEVEL_TRACE)
      invalid("level is " + std::to_string(level) + "; accepted: a member of odla_log_level");
    log_level.store(level);
  });
}

odla_status odla_SetLogger(odla_logging_func given) {
  logger.store(given ? given : default_logger);
  return ODLA_SUCCESS;
}

odla_logging_func odla_GetLogger(void) { return logger.load(); }

const char* odla_ipu_LastError(void) { return thread_state().last_error.c_str(); }

}  // extern "C"
