/* Memory of hosts and devices. */
#ifndef ODLA_IPU_ODLA_MEMORY_H
#define ODLA_IPU_ODLA_MEMORY_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Direction of a copy: H is the host, D the device. */
typedef enum {
  ODLA_MEMCPY_H2H = 0,
  ODLA_MEMCPY_H2D = 1,
  ODLA_MEMCPY_D2H = 2,
  ODLA_MEMCPY_D2D = 3,
} odla_memcpy_type;

/** Stores the address of size bytes of device memory; ODLA_MEM_ERROR when there are none. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_AllocateDeviceMemory(
    odla_void** dev_ptr, odla_size_t size);

/** Frees memory of odla_AllocateDeviceMemory; NULL is allowed. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_FreeDeviceMemory(odla_void* ptr);

/**
 * Stores the address of size bytes of host memory that the device reaches fast; ODLA_MEM_ERROR when
 * there are none.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_AllocateHostMemory(
    odla_void** host_ptr, odla_size_t size);

/** Frees memory of odla_AllocateHostMemory; NULL is allowed. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_FreeHostMemory(odla_void* ptr);

/** Copies size bytes between memories that do not overlap. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_CopyMemory(
    odla_void* dst, odla_void* src, odla_size_t size, odla_memcpy_type type);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_MEMORY_H */
