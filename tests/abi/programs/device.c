/* odla_device.h */
#include "check.h"

CASE(vendors) {
  odla_vendor v = NULL, again;
  int name;
  OK(odla_GetVendor(ODLA_VENDOR_GRAPHCORE, &v));
  CHECK(v != NULL);
  OK(odla_GetVendor(ODLA_VENDOR_DEFAULT, &again));
  for (name = 1; name <= 8; ++name)
    if (name != ODLA_VENDOR_GRAPHCORE) {
      STATUS(ODLA_UNSUPPORTED_DEVICE_TYPE, odla_GetVendor((odla_vendor_name)name, &again));
      CHECK(again == NULL);
    }
  CHECK(odla_GetVendor((odla_vendor_name)99, &again) != ODLA_SUCCESS);
  CHECK(odla_GetVendor((odla_vendor_name)-1, &again) != ODLA_SUCCESS);
  INVALID(odla_GetVendor(ODLA_VENDOR_DEFAULT, NULL));
}

CASE(vendor_info) {
  odla_vendor v;
  char text[512], small[4];
  odla_size_t size = 0;
  int item;
  OK(odla_GetVendor(ODLA_VENDOR_GRAPHCORE, &v));
  for (item = 0; item < 2; ++item) {
    OK(odla_GetVendorInfo(v, (odla_vendor_info)item, 0, NULL, &size));
    CHECK(size > 1 && size < sizeof text);
    memset(text, 'x', sizeof text);
    OK(odla_GetVendorInfo(v, (odla_vendor_info)item, sizeof text, text, NULL));
    CHECK(strlen(text) + 1 == size && text[size] == 'x');
    OK(odla_GetVendorInfo(v, (odla_vendor_info)item, sizeof small, small, &size));
    CHECK(!strncmp(small, text, 3) && small[3] == 0);
  }
  INVALID(odla_GetVendorInfo(v, (odla_vendor_info)2, sizeof text, text, &size));
  INVALID(odla_GetVendorInfo(v, (odla_vendor_info)-1, sizeof text, text, &size));
  REFUSES_HANDLES(odla_vendor, odla_GetVendorInfo(handle, OVI_DESCRIPTION, 0, NULL, &size));
}

CASE(devices_are_allocated) {
  odla_vendor v;
  odla_device d = NULL, bad = (odla_device)&something;
  int name;
  OK(odla_GetVendor(ODLA_VENDOR_GRAPHCORE, &v));
  OK(odla_AllocateDevice(v, ODLA_DEVICE_DEFAULT, 0, &d));
  CHECK(d != NULL);
  OK(odla_DestroyDevice(d));
  INVALID(odla_DestroyDevice(d));
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  for (name = 1; name <= 12; ++name)
    if (name != ODLA_DEVICE_GRAPHCORE_IPU) {
      STATUS(ODLA_UNSUPPORTED_DEVICE_TYPE,
             odla_AllocateDevice(v, (odla_device_name)name, 0, &bad));
      CHECK(bad == NULL);
    }
  CHECK(odla_AllocateDevice(v, (odla_device_name)13, 0, &bad) != ODLA_SUCCESS);
  INVALID(odla_AllocateDevice(v, ODLA_DEVICE_DEFAULT, 100000, &bad));
  CHECK(bad == NULL);
  INVALID(odla_AllocateDevice(v, ODLA_DEVICE_DEFAULT, -1, &bad));
  INVALID(odla_AllocateDevice(v, ODLA_DEVICE_DEFAULT, 0, NULL));
  INVALID(odla_AllocateDevice((odla_vendor)d, ODLA_DEVICE_DEFAULT, 0, &bad));
  INVALID(odla_AllocateDevice((odla_vendor)&something, ODLA_DEVICE_DEFAULT, 0, &bad));
  REFUSES_HANDLES(odla_device, odla_DestroyDevice(handle));
  OK(odla_DestroyDevice(d));
}

CASE(device_info) {
  odla_device d;
  odla_scalar_value value;
  const odla_element_type kinds[13] = {
      ODLA_STRING,  ODLA_INT32, ODLA_INT32, ODLA_STRING,  ODLA_STRING,  ODLA_FLOAT32, ODLA_FLOAT32,
      ODLA_INT64,   ODLA_INT64, ODLA_FLOAT32, ODLA_FLOAT32, ODLA_STRING, ODLA_STRING};
  int item;
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  for (item = 0; item < 13; ++item) {
    memset(&value, 0xee, sizeof value);
    OK(odla_GetDeviceInfo(d, (odla_device_info)item, &value));
    CHECK(value.data_type == kinds[item]);
    if (value.data_type == ODLA_STRING) CHECK(value.val_str != NULL);
    if (value.data_type == ODLA_FLOAT32) CHECK(value.val_fp32 >= 0);
    if (item == ODLA_DEVICE_INFO_PROCESSOR_UTIL || item == ODLA_DEVICE_INFO_MEMORY_UTIL)
      CHECK(value.val_fp32 <= 1);
    if (item == ODLA_DEVICE_INFO_DEV_COUNT) CHECK(value.val_int32 >= 1);
    if (item == ODLA_DEVICE_INFO_DEV_INDEX) CHECK(value.val_int32 == 0);
    if (item == ODLA_DEVICE_INFO_TOTAL_MEMORY) CHECK(value.val_int64 > 0);
    if (item == ODLA_DEVICE_INFO_SDK_VERSION) CHECK(strchr(value.val_str, '.') != NULL);
  }
  CHECK(odla_GetDeviceInfo(d, (odla_device_info)13, &value) == ODLA_FAILURE);
  CHECK(odla_GetDeviceInfo(d, (odla_device_info)-1, &value) == ODLA_FAILURE);
  INVALID(odla_GetDeviceInfo(d, ODLA_DEVICE_INFO_DEV_COUNT, NULL));
  REFUSES_HANDLES(odla_device, odla_GetDeviceInfo(handle, ODLA_DEVICE_INFO_DEV_COUNT, &value));
  OK(odla_DestroyDevice(d));
  INVALID(odla_GetDeviceInfo(d, ODLA_DEVICE_INFO_DEV_COUNT, &value));
}

CASE(config_and_init) {
  odla_device_config config = NULL;
  odla_device d;
  odla_ipu_item item = {"__device_type", "ipu_model"}, no_value = {"key", NULL},
                no_key = {NULL, "value"};
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  OK(odla_CreateDeviceConfig(&config));
  OK(odla_SetDeviceConfigItem(config, (odla_device_config_item)&item));
  OK(odla_InitDevice(d, NULL));
  OK(odla_InitDevice(d, config));
  INVALID(odla_CreateDeviceConfig(NULL));
  INVALID(odla_SetDeviceConfigItem(config, NULL));
  INVALID(odla_SetDeviceConfigItem(config, (odla_device_config_item)&no_value));
  INVALID(odla_SetDeviceConfigItem(config, (odla_device_config_item)&no_key));
  INVALID(odla_InitDevice(d, (odla_device_config)d));
  REFUSES_HANDLES(odla_device, odla_InitDevice(handle, config));
  REFUSES_HANDLES(odla_device_config,
                  odla_SetDeviceConfigItem(handle, (odla_device_config_item)&item));
  REFUSES_HANDLES(odla_device_config, odla_DestroyDeviceConfig(handle));
  OK(odla_DestroyDeviceConfig(config));
  INVALID(odla_DestroyDeviceConfig(config));
  INVALID(odla_InitDevice(d, config));
  OK(odla_DestroyDevice(d));
  INVALID(odla_InitDevice(d, NULL));
}

CASE(current_device) {
  odla_device d;
  odla_computation c;
  odla_context k;
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  OK(odla_SetCurrentDevice(d));
  c = small_computation();
  OK(odla_CreateContext(&k));
  CHECK(small_runs(c, k));
  OK(odla_DestroyDevice(d)); /* before what runs on it */
  CHECK(small_runs(c, k));
  INVALID(odla_SetCurrentDevice(d));
  OK(odla_SetCurrentDevice(NULL));
  INVALID(odla_SetCurrentDevice((odla_device)&something));
  INVALID(odla_SetCurrentDevice((odla_device)c));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(a_device_for_one_run) {
  odla_device d;
  odla_computation c = small_computation();
  odla_context k;
  odla_executable e;
  const float x[3] = {0, 0, 0};
  float y[3];
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), x, k));
  OK(odla_BindToOutputById(ID("y"), y, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, d));
  CHECK(y[2] == 3);
  OK(odla_CompileComputation(c, d, &e));
  OK(odla_DestroyDevice(d));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, d));
  INVALID(odla_CompileComputation(c, d, &e));
  OK(odla_DestroyComputation(c));
  OK(odla_DestroyContext(k));
}
