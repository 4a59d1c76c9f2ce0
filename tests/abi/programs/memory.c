/* odla_memory.h: nothing here needs Python. */
#include "check.h"

CASE(all_four_copies) {
  void *host = NULL, *device = NULL, *other = NULL;
  const char text[8] = "1234567";
  char back[8] = "";
  OK(odla_AllocateHostMemory(&host, 8));
  OK(odla_AllocateDeviceMemory(&device, 8));
  OK(odla_AllocateDeviceMemory(&other, 8));
  CHECK(host && device && other);
  OK(odla_CopyMemory(host, (void*)text, 8, ODLA_MEMCPY_H2H));
  OK(odla_CopyMemory(device, host, 8, ODLA_MEMCPY_H2D));
  OK(odla_CopyMemory(other, device, 8, ODLA_MEMCPY_D2D));
  OK(odla_CopyMemory(back, other, 8, ODLA_MEMCPY_D2H));
  CHECK(!memcmp(back, text, 8));
  OK(odla_CopyMemory((char*)device + 4, (void*)text, 4, ODLA_MEMCPY_H2D)); /* inside of it */
  OK(odla_FreeHostMemory(host));
  OK(odla_FreeDeviceMemory(device));
  OK(odla_FreeDeviceMemory(other));
}

CASE(misuse_of_memory) {
  void *host = NULL, *device = NULL, *none = &something;
  char small[4] = {0};
  INVALID(odla_AllocateHostMemory(NULL, 8));
  INVALID(odla_AllocateDeviceMemory(NULL, 8));
  STATUS(ODLA_MEM_ERROR, odla_AllocateHostMemory(&none, (odla_size_t)1 << 62));
  CHECK(none == NULL);
  none = &something;
  STATUS(ODLA_MEM_ERROR, odla_AllocateDeviceMemory(&none, (odla_size_t)-1));
  CHECK(none == NULL);
  OK(odla_AllocateHostMemory(&host, 8));
  OK(odla_AllocateDeviceMemory(&device, 0));
  CHECK(device != NULL);
  INVALID(odla_FreeDeviceMemory(host)); /* of the other side */
  INVALID(odla_FreeHostMemory(device));
  INVALID(odla_FreeHostMemory(small));
  INVALID(odla_FreeHostMemory((char*)host + 1));
  INVALID(odla_CopyMemory(host, small, 9, ODLA_MEMCPY_H2D));
  SAYS("dst has 8 bytes");
  INVALID(odla_CopyMemory(small, host, 9, ODLA_MEMCPY_D2H));
  INVALID(odla_CopyMemory((char*)host + 5, small, 4, ODLA_MEMCPY_H2H));
  INVALID(odla_CopyMemory(device, small, 1, ODLA_MEMCPY_H2D));
  INVALID(odla_CopyMemory(host, small, (odla_size_t)-1, ODLA_MEMCPY_H2H));
  INVALID(odla_CopyMemory(NULL, small, 4, ODLA_MEMCPY_H2H));
  INVALID(odla_CopyMemory(host, NULL, 4, ODLA_MEMCPY_H2H));
  INVALID(odla_CopyMemory(host, small, 4, (odla_memcpy_type)4));
  INVALID(odla_CopyMemory(host, small, 4, (odla_memcpy_type)-1));
  OK(odla_CopyMemory(NULL, NULL, 0, ODLA_MEMCPY_H2H));
  OK(odla_FreeHostMemory(host));
  INVALID(odla_FreeHostMemory(host)); /* twice */
  OK(odla_FreeDeviceMemory(device));
  INVALID(odla_FreeDeviceMemory(device));
  OK(odla_FreeHostMemory(NULL));
  OK(odla_FreeDeviceMemory(NULL));
}
