// Values: their data, types and ids, and which of them are outputs.  odla_value.h
#include <cstdio>
#include <cstring>

#include "support.h"
#include "task.h"

namespace odla_ipu {

namespace {

void set_data(const std::shared_ptr<Value>& value, const void* data) {
  int64_t bytes = bytes_of(value->type);
  if (data == nullptr && bytes != 0)
    invalid("data_ptr is NULL; accepted: the address of the elements of '" + value->id.text + "'");
  Call()(ODLA_IPU_SET_VALUE_DATA, slot(value->key), slot(data), slot(int64_t{0}));
}

void set_output(const std::shared_ptr<Value>& value, odla_value handle) {
  auto owner = value->computation.lock();
  if (!owner)
    invalid("the value '" + value->id.text + "' belongs to no computation; odla_GetValueData "
            "gives the elements of an interpreted value");
  if (owner->loaded) invalid("a loaded executable takes no more outputs");
  Call call;
  call(ODLA_IPU_SET_OUTPUT, slot(value->key), slot(static_cast<const void*>(value->id.text_or_null())));
  std::lock_guard<std::mutex> lock(owner->mutex);
  ++owner->version;
  if (call.reply.number) owner->outputs.add(value, handle, value->id);
}

odla_value handle_of(const std::shared_ptr<Value>& value) {
  auto owner = value->computation.lock();
  if (owner) {
    std::lock_guard<std::mutex> lock(owner->mutex);
    for (void* handle : owner->handles)
      if (find<Value>(handle) == value) return static_cast<odla_value>(handle);
  }
  return interpreted_handle(value);
}

void release(const std::shared_ptr<Value>& value) {
  if (value->interpreted) Call()(ODLA_IPU_RELEASE_VALUE, slot(value->key));
}

}  // namespace

void copy_value_data(const std::shared_ptr<Value>& value, void* target) {
  Call call;
  call(ODLA_IPU_VALUE_DATA, slot(value->key));
  if (call.reply.size == 0) return;
  require_pointer(target, "data_ptr");
  std::memcpy(target, call.reply.address, static_cast<size_t>(call.reply.size));
}

}  // namespace odla_ipu

using namespace odla_ipu;

extern "C" {

odla_status odla_SetValueData(odla_value value, const odla_void* data_ptr) {
  return guarded(__func__, [&] { set_data(require_value(value, "value"), data_ptr); });
}

odla_status odla_SetValueDataById(const odla_value_id value_id, const odla_void* data_ptr) {
  return guarded(__func__, [&] { set_data(find_value_by_id(value_id), data_ptr); });
}

odla_status odla_GetRawDataPtr(const odla_value value, odla_void** data_ptr) {
  return guarded(__func__, [&] {
    require_pointer(data_ptr, "data_ptr");
    *data_ptr = nullptr;
    auto found = require_value(value, "value");
    wait_for_tasks(value);
    Call call;
    call(ODLA_IPU_VALUE_DATA, slot(found->key));
    *data_ptr = const_cast<void*>(call.reply.address);
  });
}

odla_status odla_GetValueDataById(const odla_value_id value_id, odla_void* data_ptr) {
  return guarded(__func__, [&] {
    auto value = find_value_by_id(value_id);
    wait_for_tasks(handle_of(value));
    copy_value_data(value, data_ptr);
  });
}

odla_status odla_GetValueType(const odla_value value, odla_value_type* value_type) {
  return guarded(__func__, [&] {
    require_pointer(value_type, "value_type");
    *value_type = require_value(value, "value")->type;
  });
}

odla_status odla_GetValueTypeById(const odla_value_id value_id, odla_value_type* value_type) {
  return guarded(__func__, [&] {
    require_pointer(value_type, "value_type");
    *value_type = find_value_by_id(value_id)->type;
  });
}

odla_status odla_GetValueId(const odla_value value, odla_value_id* value_id) {
  return guarded(__func__, [&] {
    require_pointer(value_id, "value_id");
    *value_id = nullptr;
    *value_id = require_value(value, "value")->id.handle();
  });
}

odla_status odla_FindValueById(const odla_value_id value_id, odla_value* value) {
  return guarded(__func__, [&] {
    require_pointer(value, "value");
    *value = nullptr;
    *value = handle_of(find_value_by_id(value_id));
  });
}

odla_status odla_SetValueAsOutput(odla_value value) {
  return guarded(__func__, [&] { set_output(require_value(value, "value"), value); });
}

odla_status odla_SetValuesAsOutput(odla_values values) {
  return guarded(__func__, [&] {
    if (values.size > ODLA_MAX_OUTPUTS)
      invalid("values has size " + std::to_string(values.size) + "; accepted: 0 to " +
              std::to_string(ODLA_MAX_OUTPUTS));
    std::vector<std::shared_ptr<Value>> found;  // all of them are checked before one is set
    for (size_t i = 0; i < values.size; ++i)
      found.push_back(require_value(values.values[i], "values"));
    for (size_t i = 0; i < values.size; ++i) set_output(found[i], values.values[i]);
  });
}

odla_status odla_SetValueAsOutputById(const odla_value_id value_id) {
  return guarded(__func__, [&] {
    auto value = find_value_by_id(value_id);
    set_output(value, handle_of(value));
  });
}

odla_status odla_ReleaseValue(odla_value value) {
  return guarded(__func__, [&] { release(require_value(value, "value")); });
}

odla_status odla_ReleaseValueById(odla_value_id value_id) {
  return guarded(__func__, [&] { release(find_value_by_id(value_id)); });
}

void odla_Dump(odla_value value) {
  guarded(__func__, [&] {
    auto found = require_value(value, "value");
    wait_for_tasks(value);
    Call call;
    call(ODLA_IPU_DUMP, slot(found->key));
    std::fwrite(call.reply.address, 1, static_cast<size_t>(call.reply.size), stdout);
    std::fflush(stdout);
  });
}

}  // extern "C"
