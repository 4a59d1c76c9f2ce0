/*
 * Vendors and devices. NULL handles and pointers are ODLA_INVALID_PARAM unless a comment allows
 * them.
 */
#ifndef ODLA_IPU_ODLA_DEVICE_H
#define ODLA_IPU_ODLA_DEVICE_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Who makes a device. This library serves ODLA_VENDOR_GRAPHCORE and ODLA_VENDOR_DEFAULT. */
typedef enum {
  ODLA_VENDOR_DEFAULT = 0,
  ODLA_VENDOR_ALIBABA = 1,
  ODLA_VENDOR_ARM = 2,
  ODLA_VENDOR_CAMBRICON = 3,
  ODLA_VENDOR_GRAPHCORE = 4,
  ODLA_VENDOR_HABANA = 5,
  ODLA_VENDOR_INTEL = 6,
  ODLA_VENDOR_NVIDIA = 7,
  ODLA_VENDOR_QUALCOMM = 8,
} odla_vendor_name;

/** What odla_GetVendorInfo tells. */
typedef enum {
  OVI_DESCRIPTION = 0, /**< a sentence for people */
  OVI_FEATURE_SET = 1, /**< names of features */
} odla_vendor_info;

/** Kinds of devices. This library serves ODLA_DEVICE_GRAPHCORE_IPU and ODLA_DEVICE_DEFAULT. */
typedef enum {
  ODLA_DEVICE_DEFAULT = 0,
  ODLA_DEVICE_ALIBABA_HANGUANG = 1,
  ODLA_DEVICE_ARM_CORTEX_M = 2,
  ODLA_DEVICE_CAMBRICON_MLU220 = 3,
  ODLA_DEVICE_CAMBRICON_MLU270 = 4,
  ODLA_DEVICE_GRAPHCORE_IPU = 5,
  ODLA_DEVICE_HABANA_GAUDI = 6,
  ODLA_DEVICE_HABANA_GOYA = 7,
  ODLA_DEVICE_INTEL_X86 = 8,
  ODLA_DEVICE_INTEL_DNNL = 9,
  ODLA_DEVICE_NVIDIA_GPU = 10,
  ODLA_DEVICE_NVIDIA_TENSORRT = 11,
  ODLA_DEVICE_QUALCOMM_AIC100 = 12,
} odla_device_name;

/** What odla_GetDeviceInfo tells, and the member of odla_scalar_value that holds it. */
typedef enum {
  ODLA_DEVICE_INFO_ODLA_LIB_VERSION = 0, /**< val_str */
  ODLA_DEVICE_INFO_DEV_COUNT = 1,        /**< val_int32, devices of this kind */
  ODLA_DEVICE_INFO_DEV_INDEX = 2,        /**< val_int32, from 0 */
  ODLA_DEVICE_INFO_DEV_TYPE = 3,         /**< val_str */
  ODLA_DEVICE_INFO_DEV_UUID = 4,         /**< val_str, 16 bytes that may be 0 */
  ODLA_DEVICE_INFO_PROCESSOR_UTIL = 5,   /**< val_fp32, 0 to 1 */
  ODLA_DEVICE_INFO_MEMORY_UTIL = 6,      /**< val_fp32, 0 to 1 */
  ODLA_DEVICE_INFO_TOTAL_MEMORY = 7,     /**< val_int64, bytes */
  ODLA_DEVICE_INFO_USED_MEMORY = 8,      /**< val_int64, bytes */
  ODLA_DEVICE_INFO_POWER_USAGE = 9,      /**< val_fp32, watts */
  ODLA_DEVICE_INFO_POWER_LIMIT = 10,     /**< val_fp32, watts */
  ODLA_DEVICE_INFO_DRIVER_VERSION = 11,  /**< val_str */
  ODLA_DEVICE_INFO_SDK_VERSION = 12,     /**< val_str, "major.minor" */
} odla_device_info;

/** A vendor; never freed. */
typedef struct _odla_vendor* odla_vendor;

/** A set of device options. */
typedef struct _odla_device_config* odla_device_config;

/** One option of a device. */
typedef struct _odla_device_config_item* odla_device_config_item;

/**
 * Stores the handle of a vendor; ODLA_UNSUPPORTED_DEVICE_TYPE for one this library does not serve.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetVendor(
    const odla_vendor_name vendor_name, odla_vendor* vendor);

/**
 * Writes at most allocated_info_value_size bytes of text, with its closing NUL, to info_value, and
 * the number of bytes that the whole text takes to retrieved_info_value_size. Either pointer may be
 * NULL: a first call with size 0 asks for the size.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetVendorInfo(
    const odla_vendor vendor, const odla_vendor_info info_name,
    const odla_size_t allocated_info_value_size, odla_void* info_value,
    odla_size_t* retrieved_info_value_size);

/**
 * Stores a handle of the device_idx-th IPU of the machine; 0 stands for any that is free, which
 * computations without a device use too. vendor may be NULL. ODLA_DEVICE_DEFAULT is an attached IPU
 * where there is one, else the simulator; ODLA_DEVICE_GRAPHCORE_IPU is an attached IPU and nothing
 * else, unless the environment's ODLA_IPU_DEVICE (ipu, ipu_model, sim) says which kind is meant. On
 * failure *device is NULL: ODLA_UNSUPPORTED_DEVICE_TYPE for a name that is not served or a device
 * that is not there, ODLA_INVALID_PARAM for an index out of range.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_AllocateDevice(
    odla_vendor vendor, odla_device_name device_name, odla_int32 device_idx,
    odla_device* device);

/**
 * Fills info_value, its data_type included; texts belong to the device. ODLA_FAILURE for an unknown
 * item. What is asked for within 0.1 s is of one moment.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetDeviceInfo(
    odla_device device, odla_device_info info_type, odla_scalar_value* info_value);

/**
 * Attaches the device, with the options of config, until odla_DestroyDevice; config may be NULL.
 * Optional: a device is attached while something is compiled for it. On failure its options are
 * those of before.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_InitDevice(
    odla_device device, const odla_device_config config);

/**
 * Makes the device the one of computations that the calling thread creates from now on; NULL for
 * the default device.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetCurrentDevice(odla_device device);

/**
 * Detaches the device and frees its handle. What was compiled for it is freed; its computations are
 * compiled anew, for the default device, when they are run again.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_DestroyDevice(odla_device device);

/** Stores a new, empty set of device options, to be freed by odla_DestroyDeviceConfig. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_CreateDeviceConfig(
    odla_device_config* device_config);

/**
 * Adds an option to the set. The item is the address of an odla_ipu_item (odla_ipu.h): two texts,
 * which are copied, the key and its value. No variable arguments are read. Keys:
 *
 *   __device_type      ipu, ipu_model or sim; where ODLA_IPU_DEVICE names another, that prevails
 *   __num_ipus         IPUs of computations that do not set ODLA_PROCESSOR_NUM: 1, 2, 4, ...
 *   __tiles_per_ipu    must be what the device has
 *   __sync_pattern     full; SinglePipeline and PingPong have no effect but a warning
 *   __connection_type  Always: attach now; OnDemand: when something is compiled
 *
 * odla_InitDevice refuses unknown keys and values with ODLA_INVALID_PARAM.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetDeviceConfigItem(
    odla_device_config device_config, odla_device_config_item device_config_item, ...);

/** Frees a set of device options. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_DestroyDeviceConfig(
    odla_device_config device_config);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_DEVICE_H */
