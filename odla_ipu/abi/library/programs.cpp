// Compiling, storing and loading: executables, computations, constants.  odla_compute.h
#include <cstring>

#include "support.h"

namespace odla_ipu {

void destroy_computation(const std::shared_ptr<Computation>& computation);

namespace {

void check_location(const odla_resource_location& location) {
  if (location.location_type < ODLA_LOCATION_PATH || location.location_type > ODLA_LOCATION_URI)
    invalid("location_type is " + std::to_string(location.location_type) +
            "; accepted: a member of odla_resource_location_type");
  if (location.location == nullptr) invalid("location is NULL; accepted: a path, URI or address");
}

// Writes a computation or its executable; gives the bytes that it takes.
int64_t store(const Computation& program, bool is_executable,
              const odla_resource_location& location) {
  Call call;
  call(ODLA_IPU_STORE, slot(program.key), slot(static_cast<int64_t>(is_executable)),
       slot(static_cast<int64_t>(location.location_type)), slot(location.location),
       slot(static_cast<int64_t>(location.size)));
  return call.reply.number;
}

// A computation for what Python has loaded, with values for its arguments and outputs.
std::shared_ptr<Computation> loaded(const odla_ipu_reply& reply, bool is_executable,
                                    void** handle) {
  auto computation = std::make_shared<Computation>(reply.number);
  computation->loaded = is_executable;
  Call call;
  call(ODLA_IPU_PORTS, slot(computation->key));
  auto ports = static_cast<const odla_ipu_port*>(call.reply.address);
  for (int64_t index = 0; index < call.reply.size; ++index) {
    const odla_ipu_port& port = ports[index];
    Id id = Id::read(port.id);
    odla_ipu_result result{port.key, port.type};
    std::shared_ptr<Value> value;
    odla_value made = new_value(computation, result, id, &value);
    std::lock_guard<std::mutex> lock(computation->mutex);
    bool is_argument = index < call.reply.number;
    if (is_argument) value->argument = static_cast<int>(index);
    (is_argument ? computation->arguments : computation->outputs).add(value, made, id);
  }
  *handle = insert(computation);
  add_live(computation, *handle);
  make_current(computation);
  return computation;
}

void load(const odla_resource_location& location, bool is_executable, int64_t device, Call& call) {
  check_location(location);
  call(ODLA_IPU_LOAD, slot(static_cast<int64_t>(is_executable)),
       slot(static_cast<int64_t>(location.location_type)), slot(location.location),
       slot(static_cast<int64_t>(location.size)), slot(device));
}

int64_t key_of(const odla_device device) {
  if (device == nullptr) {
    auto& current = thread_state().device;
    return current ? current->key : 0;
  }
  return require<Device>(device, "device", "odla_AllocateDevice")->key;
}

}  // namespace

}  // namespace odla_ipu

using namespace odla_ipu;

extern "C" {

odla_status odla_CompileComputation(const odla_computation computation, const odla_device device,
                                    odla_executable* executable) {
  return guarded(__func__, [&] {
    require_pointer(executable, "executable");
    *executable = nullptr;
    auto target = require_computation(computation);
    if (target->loaded) invalid("the computation is a loaded executable: compiled already");
    {
      std::lock_guard<std::mutex> lock(target->mutex);
      if (target->outputs.values.empty() && target->first_status != ODLA_SUCCESS)
        throw Failure(target->first_status, target->first_failure);
    }
    Call call;
    call(ODLA_IPU_COMPILE, slot(target->key), slot(device ? key_of(device) : int64_t{0}));
    std::lock_guard<std::mutex> lock(target->mutex);
    target->compiled = true;
    if (!target->executable_handle) {
      auto made = std::make_shared<Executable>(target->key);
      made->releases = false;
      made->computation = target;
      target->executable = made;
      target->executable_handle = insert(made);
    }
    *executable = static_cast<odla_executable>(target->executable_handle);
  });
}

odla_status odla_DestroyExecutable(odla_executable executable) {
  return guarded(__func__, [&] {
    auto removed = remove<Executable>(executable);
    if (!removed)
      require<Executable>(executable, "executable",
                          "odla_CompileComputation or odla_LoadExecutable");
    if (removed->hidden) {
      destroy_computation(removed->hidden);
      return;
    }
    auto computation = removed->computation.lock();
    if (!computation) return;
    std::lock_guard<std::mutex> lock(computation->mutex);
    computation->executable_handle = nullptr;
    computation->executable = nullptr;
  });
}

odla_status odla_StoreExecutable(odla_resource_location location, odla_executable executable) {
  return guarded(__func__, [&] {
    auto target = program_of(executable);
    check_location(location);
    store(*target, true, location);
  });
}

odla_status odla_LoadExecutable(odla_resource_location location, odla_device device,
                                odla_executable* executable) {
  return guarded(__func__, [&] {
    require_pointer(executable, "executable");
    *executable = nullptr;
    Call call;
    load(location, true, key_of(device), call);
    void* hidden;
    auto made = std::make_shared<Executable>(call.reply.number);
    made->releases = false;
    made->hidden = loaded(call.reply, true, &hidden);
    *executable = static_cast<odla_executable>(insert(made));
  });
}

odla_status odla_StoreComputation(odla_resource_location location, odla_computation computation) {
  return guarded(__func__, [&] {
    auto target = require_computation(computation);
    if (target->loaded) invalid("the computation is a loaded executable; odla_StoreExecutable "
                                "stores it");
    check_location(location);
    store(*target, false, location);
  });
}

odla_status odla_LoadComputation(odla_resource_location location, odla_computation* computation) {
  return guarded(__func__, [&] {
    require_pointer(computation, "computation");
    *computation = nullptr;
    Call call;
    load(location, false, key_of(nullptr), call);
    void* handle;
    loaded(call.reply, false, &handle);
    *computation = static_cast<odla_computation>(handle);
  });
}

odla_size_t odla_ipu_StoredSize(const void* handle) {
  odla_size_t size = 0;
  guarded(__func__, [&] {
    auto computation = find<Computation>(handle);
    bool is_executable = !computation || computation->loaded;
    if (!computation)
      computation = program_of(static_cast<odla_executable>(const_cast<void*>(handle)));
    odla_resource_location nowhere{ODLA_LOCATION_MEMORY, nullptr, 0};
    size = static_cast<odla_size_t>(store(*computation, is_executable, nowhere));
  });
  return size;
}

// Arguments' ranges.

odla_status odla_SetValueShapeInfo(odla_value value, odla_item_type type,
                                   odla_value_shape value_shape) {
  return guarded(__func__, [&] {
    auto found = require_value(value, "value");
    if (type != ODLA_MIN_SHAPE && type != ODLA_MAX_SHAPE && type != ODLA_OPT_SHAPE)
      throw Failure(ODLA_FAILURE, "type is " + std::to_string(type) +
                                      "; accepted: ODLA_MIN_SHAPE, ODLA_MAX_SHAPE, ODLA_OPT_SHAPE");
    check_shape(value_shape, "value_shape", false);
    if (found->argument < 0) invalid("the value '" + found->id.text + "' is no argument");
    Call()(ODLA_IPU_SET_SHAPE_INFO, slot(found->key), slot(static_cast<int64_t>(type)),
           slot(static_cast<const void*>(&value_shape)));
  });
}

odla_status odla_SetInputValueInfo(odla_value value, odla_item_type type,
                                   odla_item_value value_input) {
  return guarded(__func__, [&] {
    auto found = require_value(value, "value");
    if (type != ODLA_MIN_VALUE && type != ODLA_MAX_VALUE && type != ODLA_OPT_VALUE)
      throw Failure(ODLA_FAILURE, "type is " + std::to_string(type) +
                                      "; accepted: ODLA_MIN_VALUE, ODLA_MAX_VALUE, ODLA_OPT_VALUE");
    require_pointer(value_input, "value_input");
    if (found->argument < 0) invalid("the value '" + found->id.text + "' is no argument");
    odla_int32 number;
    std::memcpy(&number, value_input, sizeof number);
    Call()(ODLA_IPU_SET_VALUE_INFO, slot(found->key), slot(static_cast<int64_t>(type)),
           slot(static_cast<int64_t>(number)));
  });
}

// Constants.

odla_status odla_CreateConstantsArray(odla_constants_array* constants_array) {
  return guarded(__func__, [&] {
    require_pointer(constants_array, "constants_array");
    *constants_array = nullptr;
    Call call;
    call(ODLA_IPU_CONSTANTS_CREATE);
    *constants_array = static_cast<odla_constants_array>(
        insert(std::make_shared<ConstantsArray>(call.reply.number)));
  });
}

odla_status odla_LoadConstantsArray(const odla_char* file_name,
                                    odla_constants_array* constants_array) {
  return guarded(__func__, [&] {
    require_pointer(constants_array, "constants_array");
    *constants_array = nullptr;
    require_pointer(file_name, "file_name");
    Call call;
    call(ODLA_IPU_CONSTANTS_LOAD, slot(static_cast<const void*>(file_name)));
    *constants_array = static_cast<odla_constants_array>(
        insert(std::make_shared<ConstantsArray>(call.reply.number)));
  });
}

static std::shared_ptr<ConstantsArray> require_constants(const odla_constants_array handle) {
  return require<ConstantsArray>(handle, "constants_array", "odla_CreateConstantsArray");
}

odla_status odla_StoreConstantsArray(const odla_char* file_name,
                                     const odla_constants_array constants_array) {
  return guarded(__func__, [&] {
    auto target = require_constants(constants_array);
    require_pointer(file_name, "file_name");
    Call()(ODLA_IPU_CONSTANTS_STORE, slot(target->key), slot(static_cast<const void*>(file_name)));
  });
}

odla_status odla_ipu_SetConstant(odla_constants_array constants_array, const odla_char* id,
                                 odla_value_type value_type, const odla_void* data_ptr) {
  return guarded(__func__, [&] {
    auto target = require_constants(constants_array);
    require_pointer(id, "id");
    check_type(value_type, "value_type");
    int64_t bytes = bytes_of(value_type);
    if (bytes < 0) invalid("the shape " + shape_text(value_type.shape) + " is open or too large");
    if (bytes > 0) require_pointer(data_ptr, "data_ptr");
    Call()(ODLA_IPU_CONSTANTS_SET, slot(target->key), slot(static_cast<const void*>(id)),
           slot(static_cast<const void*>(&value_type)), slot(data_ptr), slot(bytes));
  });
}

odla_status odla_DestroyConstantsArray(odla_constants_array constants_array) {
  return guarded(__func__, [&] {
    if (!remove<ConstantsArray>(constants_array)) require_constants(constants_array);
  });
}

}  // extern "C"

// Functions of the predecessor's that C++ programs call by their mangled names.

#define ODLA_IPU_MANGLED __attribute__((visibility("default")))

// Compiles the computation and writes the executable to the file that item 1001 named.
ODLA_IPU_MANGLED odla_status odla_CreateExecutable(odla_executable* executable,
                                                   odla_context context,
                                                   odla_computation computation) {
  (void)context;
  return guarded(__func__, [&] {
    require_pointer(executable, "executable");
    *executable = nullptr;
    Call()(ODLA_IPU_EXPORT, slot(require_computation(computation)->key));
  });
}

ODLA_IPU_MANGLED odla_status odla_StoreExecutable(const odla_char* file_name,
                                                  odla_executable executable) {
  return odla_StoreExecutable(odla_resource_location{ODLA_LOCATION_PATH, file_name, 0}, executable);
}

ODLA_IPU_MANGLED odla_status odla_LoadExecutable(const odla_char* file_name,
                                                 odla_executable* executable,
                                                 odla_context* context,
                                                 odla_computation* computation) {
  odla_status status = odla_LoadExecutable(
      odla_resource_location{ODLA_LOCATION_PATH, file_name, 0}, nullptr, executable);
  if (status != ODLA_SUCCESS) return status;
  if (computation) *computation = static_cast<odla_computation>(handle_of(program_of(*executable)));
  return context ? odla_CreateContext(context) : ODLA_SUCCESS;
}
