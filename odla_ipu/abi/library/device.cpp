// Vendors, devices, profiling, memory, the version: odla_device.h, odla_profiler.h, odla_memory.h
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <future>

#include "configuration.h"
#include "queue.h"
#include "support.h"

namespace odla_ipu {

namespace {

// The options of a config are addresses of {key, value}; see odla_ipu_item in odla_ipu.h.
Pair read_pair(const void* item, const char* parameter) {
  if (item == nullptr)
    invalid(std::string(parameter) + " is NULL; accepted: the address of an odla_ipu_item");
  odla_ipu_pair pair;
  std::memcpy(&pair, item, sizeof pair);
  if (pair.key == nullptr || pair.value == nullptr)
    invalid(std::string(parameter) + " has a NULL key or value; accepted: texts");
  return {pair.key, pair.value};
}

std::vector<odla_ipu_pair> as_pairs(const std::vector<Pair>& items) {
  std::vector<odla_ipu_pair> pairs;
  for (auto& item : items) pairs.push_back({item.key.c_str(), item.value.c_str()});
  return pairs;
}

std::shared_ptr<Device> require_device(const odla_device device) {
  return require<Device>(device, "device", "odla_AllocateDevice");
}

int64_t key_or_current(const odla_device device) {
  if (device) return require_device(device)->key;
  auto& current = thread_state().device;
  return current ? current->key : 0;
}

}  // namespace

}  // namespace odla_ipu

using namespace odla_ipu;

extern "C" {

odla_status odla_GetVendor(const odla_vendor_name vendor_name, odla_vendor* vendor) {
  return guarded(__func__, [&] {
    require_pointer(vendor, "vendor");
    *vendor = nullptr;
    if (vendor_name != ODLA_VENDOR_DEFAULT && vendor_name != ODLA_VENDOR_GRAPHCORE)
      throw Failure(ODLA_UNSUPPORTED_DEVICE_TYPE,
                    "vendor_name is " + std::to_string(vendor_name) +
                        "; accepted: ODLA_VENDOR_DEFAULT, ODLA_VENDOR_GRAPHCORE");
    static void* handle = insert(std::make_shared<Vendor>(ODLA_VENDOR_GRAPHCORE));
    *vendor = static_cast<odla_vendor>(handle);
  });
}

odla_status odla_GetVendorInfo(const odla_vendor vendor, const odla_vendor_info info_name,
                               const odla_size_t allocated_info_value_size,
                               odla_void* info_value, odla_size_t* retrieved_info_value_size) {
  return guarded(__func__, [&] {
    if (retrieved_info_value_size) *retrieved_info_value_size = 0;
    require<Vendor>(vendor, "vendor", "odla_GetVendor");
    const char* text;
    switch (info_name) {
      case OVI_DESCRIPTION:
        text = "Graphcore IPUs, by PopART; without the Poplar SDK, a simulator";
        break;
      case OVI_FEATURE_SET:
        text = "interpret compile precompile inference async profile custom-op fp16";
        break;
      default:
        invalid("info_name is " + std::to_string(info_name) +
                "; accepted: OVI_DESCRIPTION, OVI_FEATURE_SET");
    }
    size_t size = std::strlen(text) + 1;
    if (retrieved_info_value_size) *retrieved_info_value_size = size;
    if (info_value == nullptr || allocated_info_value_size == 0) return;
    size_t written = size < allocated_info_value_size ? size : allocated_info_value_size;
    std::memcpy(info_value, text, written);
    static_cast<char*>(info_value)[written - 1] = 0;
  });
}

odla_status odla_AllocateDevice(odla_vendor vendor, odla_device_name device_name,
                                odla_int32 device_idx, odla_device* device) {
  return guarded(__func__, [&] {
    require_pointer(device, "device");
    *device = nullptr;
    if (vendor) require<Vendor>(vendor, "vendor", "odla_GetVendor");
    if (device_name != ODLA_DEVICE_DEFAULT && device_name != ODLA_DEVICE_GRAPHCORE_IPU)
      throw Failure(ODLA_UNSUPPORTED_DEVICE_TYPE,
                    "device_name is " + std::to_string(device_name) +
                        "; accepted: ODLA_DEVICE_DEFAULT, ODLA_DEVICE_GRAPHCORE_IPU");
    Call call;
    call(ODLA_IPU_ALLOCATE_DEVICE, slot(static_cast<int64_t>(device_name)),
         slot(static_cast<int64_t>(device_idx)));
    *device = static_cast<odla_device>(insert(std::make_shared<Device>(call.reply.number)));
  });
}

odla_status odla_GetDeviceInfo(odla_device device, odla_device_info info_type,
                               odla_scalar_value* info_value) {
  return guarded(__func__, [&] {
    require_pointer(info_value, "info_value");
    auto target = require_device(device);
    if (info_type < ODLA_DEVICE_INFO_ODLA_LIB_VERSION || info_type > ODLA_DEVICE_INFO_SDK_VERSION)
      throw Failure(ODLA_FAILURE, "info_type is " + std::to_string(info_type) +
                                      "; accepted: a member of odla_device_info");
    Call call;
    call(ODLA_IPU_DEVICE_INFO, slot(target->key), slot(static_cast<int64_t>(info_type)));
    odla_scalar_value value{};
    switch (info_type) {
      case ODLA_DEVICE_INFO_DEV_COUNT:
      case ODLA_DEVICE_INFO_DEV_INDEX:
        value.data_type = ODLA_INT32;
        value.val_int32 = static_cast<odla_int32>(call.reply.number);
        break;
      case ODLA_DEVICE_INFO_TOTAL_MEMORY:
      case ODLA_DEVICE_INFO_USED_MEMORY:
        value.data_type = ODLA_INT64;
        value.val_int64 = call.reply.number;
        break;
      case ODLA_DEVICE_INFO_PROCESSOR_UTIL:
      case ODLA_DEVICE_INFO_MEMORY_UTIL:
      case ODLA_DEVICE_INFO_POWER_USAGE:
      case ODLA_DEVICE_INFO_POWER_LIMIT:
        value.data_type = ODLA_FLOAT32;
        value.val_fp32 = static_cast<odla_float32>(call.reply.real);
        break;
      default: {
        auto text = std::make_shared<std::string>(static_cast<const char*>(call.reply.address),
                                                  static_cast<size_t>(call.reply.size));
        std::lock_guard<std::mutex> lock(target->mutex);
        auto& kept = target->texts[info_type];
        if (!kept || *kept != *text) target->old_texts.push_back(kept), kept = text;
        value.data_type = ODLA_STRING;
        value.val_str = kept->c_str();
      }
    }
    *info_value = value;
  });
}

odla_status odla_InitDevice(odla_device device, const odla_device_config config) {
  return guarded(__func__, [&] {
    auto target = require_device(device);
    std::vector<Pair> items;
    if (config) {
      auto given = require<DeviceConfig>(config, "config", "odla_CreateDeviceConfig");
      std::lock_guard<std::mutex> lock(given->mutex);
      items = given->items;
    }
    auto pairs = as_pairs(items);
    Call()(ODLA_IPU_INIT_DEVICE, slot(target->key), slot(static_cast<const void*>(pairs.data())),
           slot(static_cast<int64_t>(pairs.size())));
  });
}

odla_status odla_SetCurrentDevice(odla_device device) {
  return guarded(__func__, [&] {
    thread_state().device = device ? require_device(device) : nullptr;
  });
}

odla_status odla_DestroyDevice(odla_device device) {
  return guarded(__func__, [&] {
    auto removed = remove<Device>(device);
    if (!removed) require_device(device);
    if (thread_state().device == removed) thread_state().device = nullptr;
  });
}

odla_status odla_CreateDeviceConfig(odla_device_config* device_config) {
  return guarded(__func__, [&] {
    require_pointer(device_config, "device_config");
    *device_config = static_cast<odla_device_config>(insert(std::make_shared<DeviceConfig>()));
  });
}

odla_status odla_SetDeviceConfigItem(odla_device_config device_config,
                                     odla_device_config_item device_config_item, ...) {
  return guarded(__func__, [&] {
    auto target = require<DeviceConfig>(device_config, "device_config", "odla_CreateDeviceConfig");
    Pair pair = read_pair(device_config_item, "device_config_item");
    std::lock_guard<std::mutex> lock(target->mutex);
    target->items.push_back(std::move(pair));
  });
}

odla_status odla_DestroyDeviceConfig(odla_device_config device_config) {
  return guarded(__func__, [&] {
    if (!remove<DeviceConfig>(device_config))
      require<DeviceConfig>(device_config, "device_config", "odla_CreateDeviceConfig");
  });
}

// Profiling.

odla_status odla_CreateDeviceTrace(odla_device_trace* device_trace) {
  return guarded(__func__, [&] {
    require_pointer(device_trace, "device_trace");
    *device_trace = static_cast<odla_device_trace>(insert(std::make_shared<Trace>(0)));
  });
}

static std::shared_ptr<Trace> require_trace(odla_device_trace trace) {
  return require<Trace>(trace, "device_trace",
                        "odla_CreateDeviceTrace or odla_RetrieveDeviceTrace");
}

odla_status odla_SetDeviceTraceItem(odla_device_trace device_trace,
                                    odla_device_trace_item device_trace_item, ...) {
  return guarded(__func__, [&] {
    auto target = require_trace(device_trace);
    Pair pair = read_pair(device_trace_item, "device_trace_item");
    std::lock_guard<std::mutex> lock(target->mutex);
    target->items.push_back(std::move(pair));
  });
}

odla_status odla_ReleaseDeviceTrace(odla_device_trace device_trace) {
  return guarded(__func__, [&] {
    if (!remove<Trace>(device_trace)) require_trace(device_trace);
  });
}

// What is asked for asynchronously happens in the order of the calls, and before what is asked for
// afterwards.
static Queue& profiler_queue() {
  static auto* queue = new std::shared_ptr<Queue>(Queue::make());
  return **queue;
}

static void after_the_queue() {
  std::promise<void> done;
  profiler_queue().add([&done] { done.set_value(); });
  WithoutInterpreterLock unlocked;
  done.get_future().wait();
}

odla_status odla_StartDeviceProfiler(odla_device device) {
  return guarded(__func__, [&] {
    int64_t key = key_or_current(device);
    after_the_queue();
    Call()(ODLA_IPU_PROFILER_START, slot(key));
  });
}

odla_status odla_StopDeviceProfiler(odla_device device) {
  return guarded(__func__, [&] {
    int64_t key = key_or_current(device);
    after_the_queue();
    Call()(ODLA_IPU_PROFILER_STOP, slot(key));
  });
}

static odla_status queue_profiler(const char* name, int32_t function, odla_device device) {
  return guarded(name, [&] {
    std::shared_ptr<Device> target = device ? require_device(device) : thread_state().device;
    std::string caller = name;
    profiler_queue().add([caller, function, target] {
      guarded(caller.c_str(), [&] { Call()(function, slot(target ? target->key : int64_t{0})); });
    });
  });
}

odla_status odla_AsyncStartDeviceProfiler(odla_device device) {
  return queue_profiler(__func__, ODLA_IPU_PROFILER_START, device);
}

odla_status odla_AsyncStopDeviceProfiler(odla_device device) {
  return queue_profiler(__func__, ODLA_IPU_PROFILER_STOP, device);
}

odla_status odla_RetrieveDeviceTrace(odla_device device, odla_device_trace* device_trace) {
  return guarded(__func__, [&] {
    require_pointer(device_trace, "device_trace");
    *device_trace = nullptr;
    int64_t key = key_or_current(device);
    after_the_queue();
    Call call;
    call(ODLA_IPU_PROFILER_TRACE, slot(key));
    *device_trace =
        static_cast<odla_device_trace>(insert(std::make_shared<Trace>(call.reply.number)));
  });
}

odla_status odla_ipu_TraceToJSON(odla_device_trace device_trace, const odla_char** json) {
  return guarded(__func__, [&] {
    require_pointer(json, "json");
    *json = nullptr;
    auto target = require_trace(device_trace);
    if (target->key == 0)
      invalid("the trace is empty; accepted: what odla_RetrieveDeviceTrace gave");
    std::vector<Pair> items;
    {
      std::lock_guard<std::mutex> lock(target->mutex);
      items = target->items;
    }
    auto pairs = as_pairs(items);
    Call call;
    call(ODLA_IPU_TRACE_JSON, slot(target->key), slot(static_cast<const void*>(pairs.data())),
         slot(static_cast<int64_t>(pairs.size())));
    std::string text(static_cast<const char*>(call.reply.address),
                     static_cast<size_t>(call.reply.size));
    std::lock_guard<std::mutex> lock(target->mutex);
    // What was given out stays.
    if (target->json.empty() || target->json.back() != text)
      target->json.push_back(std::move(text));
    *json = target->json.back().c_str();
  });
}

}  // extern "C"

// Memory.

namespace {

// What was allocated, so that a wrong pointer is found out.
struct Allocations {
  std::mutex mutex;
  std::map<const char*, size_t> sizes[2];  // of the host, of the device
};

Allocations& allocations() {
  static Allocations* one = new Allocations;
  return *one;
}

void allocate(void** pointer, size_t size, int side, const char* parameter) {
  require_pointer(pointer, parameter);
  *pointer = nullptr;
  void* memory = size > PTRDIFF_MAX ? nullptr : std::malloc(size ? size : 1);
  if (!memory)
    throw Failure(ODLA_MEM_ERROR, "there are no " + std::to_string(size) + " bytes of memory");
  std::lock_guard<std::mutex> lock(allocations().mutex);
  allocations().sizes[side][static_cast<char*>(memory)] = size;
  *pointer = memory;
}

void release(void* pointer, int side, const char* maker) {
  if (!pointer) return;
  {
    std::lock_guard<std::mutex> lock(allocations().mutex);
    if (!allocations().sizes[side].erase(static_cast<char*>(pointer)))
      invalid(std::string("ptr is not what ") + maker + " gave, or it is freed");
  }
  std::free(pointer);
}

// The bytes from a pointer to the end of the memory of this library that it lies in; -1: in none.
int64_t rest(const void* pointer) {
  auto address = static_cast<const char*>(pointer);
  std::lock_guard<std::mutex> lock(allocations().mutex);
  for (auto& sizes : allocations().sizes) {
    auto after = sizes.upper_bound(address);
    if (after == sizes.begin()) continue;
    --after;
    if (address <= after->first + after->second)
      return after->first + after->second - address;
  }
  return -1;
}

}  // namespace

extern "C" {

odla_status odla_AllocateDeviceMemory(odla_void** dev_ptr, odla_size_t size) {
  return guarded(__func__, [&] { allocate(dev_ptr, size, 1, "dev_ptr"); });
}

odla_status odla_FreeDeviceMemory(odla_void* ptr) {
  return guarded(__func__, [&] { release(ptr, 1, "odla_AllocateDeviceMemory"); });
}

odla_status odla_AllocateHostMemory(odla_void** host_ptr, odla_size_t size) {
  return guarded(__func__, [&] { allocate(host_ptr, size, 0, "host_ptr"); });
}

odla_status odla_FreeHostMemory(odla_void* ptr) {
  return guarded(__func__, [&] { release(ptr, 0, "odla_AllocateHostMemory"); });
}

odla_status odla_CopyMemory(odla_void* dst, odla_void* src, odla_size_t size,
                            odla_memcpy_type type) {
  return guarded(__func__, [&] {
    if (type < ODLA_MEMCPY_H2H || type > ODLA_MEMCPY_D2D)
      invalid("type is " + std::to_string(type) + "; accepted: a member of odla_memcpy_type");
    if (size == 0) return;
    require_pointer(dst, "dst");
    require_pointer(src, "src");
    for (const void* pointer : {static_cast<const void*>(dst), static_cast<const void*>(src)}) {
      int64_t has = rest(pointer);
      if (has >= 0 && static_cast<odla_size_t>(has) < size)
        invalid(std::string(pointer == dst ? "dst" : "src") + " has " + std::to_string(has) +
                " bytes; " + std::to_string(size) + " are to be copied");
    }
    std::memmove(dst, src, size);
  });
}

const char* odla_GetVersionString(void) {
  static std::mutex mutex;
  static auto* text = new std::string;
  std::lock_guard<std::mutex> lock(mutex);
  if (text->empty()) {
    guarded(__func__, [&] {
      Call call;
      call(ODLA_IPU_VERSION_TEXT);
      text->assign(static_cast<const char*>(call.reply.address),
                   static_cast<size_t>(call.reply.size));
    });
  }
  return text->empty() ? "odla_ipu " ODLA_IPU_VERSION "\nPython cannot start" : text->c_str();
}

}  // extern "C"

namespace odla_ipu {

void shut_down() {
  Queue::finish_all();
  end_python();
}

}  // namespace odla_ipu
