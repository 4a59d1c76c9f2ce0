// Handles: numbers in the place of pointers, so that a stale or foreign one is found out.
#ifndef ODLA_IPU_HANDLES_H
#define ODLA_IPU_HANDLES_H

#include "objects.h"

namespace odla_ipu {

// The upper bits of a handle say what it is: no pointer of a process looks like one.
enum class Kind : uint64_t {
  value = 0x0d1a1,
  computation = 0x0d1a2,
  executable = 0x0d1a3,
  context = 0x0d1a4,
  device = 0x0d1a5,
  vendor = 0x0d1a6,
  device_config = 0x0d1a7,
  constants = 0x0d1a8,
  trace = 0x0d1a9,
};

template <class T>
struct KindOf;
template <>
struct KindOf<Value> { static constexpr Kind kind = Kind::value; };
template <>
struct KindOf<Computation> { static constexpr Kind kind = Kind::computation; };
template <>
struct KindOf<Executable> { static constexpr Kind kind = Kind::executable; };
template <>
struct KindOf<Context> { static constexpr Kind kind = Kind::context; };
template <>
struct KindOf<Device> { static constexpr Kind kind = Kind::device; };
template <>
struct KindOf<Vendor> { static constexpr Kind kind = Kind::vendor; };
template <>
struct KindOf<DeviceConfig> { static constexpr Kind kind = Kind::device_config; };
template <>
struct KindOf<ConstantsArray> { static constexpr Kind kind = Kind::constants; };
template <>
struct KindOf<Trace> { static constexpr Kind kind = Kind::trace; };

void* insert_handle(Kind kind, std::shared_ptr<Object> object);
std::shared_ptr<Object> find_handle(Kind kind, const void* handle);
// Takes the handle back; gives what it stood for, or null.
std::shared_ptr<Object> remove_handle(Kind kind, const void* handle);
// "NULL", "a handle of a value", "what no function of this library returned", ...
std::string describe_handle(const void* handle);

template <class T>
void* insert(const std::shared_ptr<T>& object) {
  return insert_handle(KindOf<T>::kind, object);
}
template <class T>
std::shared_ptr<T> find(const void* handle) {
  return std::static_pointer_cast<T>(find_handle(KindOf<T>::kind, handle));
}
template <class T>
std::shared_ptr<T> remove(const void* handle) {
  return std::static_pointer_cast<T>(remove_handle(KindOf<T>::kind, handle));
}

}  // namespace odla_ipu

#endif
