/* Types that all of ODLA shares: numbers, statuses, element types, shapes, values. */
#ifndef ODLA_IPU_ODLA_COMMON_H
#define ODLA_IPU_ODLA_COMMON_H

#include <stddef.h>
#include <stdint.h>

/* Programs that compilers generate use C's bool and include nothing but ODLA. */
#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Marks the functions that the library exports. */
#if defined(__GNUC__)
#define ODLA_API_EXPORT __attribute__((visibility("default")))
#else
#define ODLA_API_EXPORT
#endif

/** The calling convention: the platform's own. */
#define ODLA_API_CALL

/* C99 has no unnamed members; compilers that know them anyway need no warning. */
#if defined(__GNUC__)
#define ODLA_UNNAMED __extension__
#else
#define ODLA_UNNAMED
#endif

/** The largest rank of a shape. */
#define ODLA_MAX_DIMENSION 10

/** The largest number of values in odla_values and odla_value_ids. */
#define ODLA_MAX_OUTPUTS 64

typedef int8_t odla_int8;
typedef int16_t odla_int16;
typedef int32_t odla_int32;
typedef int64_t odla_int64;
typedef uint8_t odla_uint8;
typedef uint16_t odla_uint16;
typedef uint32_t odla_uint32;
typedef uint64_t odla_uint64;

/** Quantized integers. */
typedef int8_t odla_qint8;
typedef int16_t odla_qint16;
typedef int32_t odla_qint32;
typedef int64_t odla_qint64;
typedef uint8_t odla_quint8;
typedef uint16_t odla_quint16;
typedef uint32_t odla_quint32;
typedef uint64_t odla_quint64;

/** The bits of an IEEE 754 binary16 number, and of a bfloat16 number. */
typedef uint16_t odla_float16;
typedef uint16_t odla_bfloat16;

typedef float odla_float32;
typedef double odla_float64;

/** Text that a NUL ends; an element of an ODLA_STRING tensor. */
typedef const char* odla_string;

/**
 * A parameter: 0 or 1 in four bytes. An element of an ODLA_BOOL tensor and the value of an option
 * take one byte, C's bool.
 */
typedef odla_uint32 odla_bool;

typedef char odla_char;
typedef size_t odla_size_t;
typedef void odla_void;

/**
 * What a function returns. On failure nothing is stored but NULL, and the logger (odla_log.h) gets
 * the reason.
 */
typedef enum {
  ODLA_SUCCESS = 0,
  ODLA_DL_ERROR = 1,                /**< a library could not be loaded */
  ODLA_FILE_NOT_EXIST = 2,          /**< no such file */
  ODLA_INVALID_PARAM = 3,           /**< a parameter is NULL, stale or out of range */
  ODLA_MEM_ERROR = 4,               /**< memory of host or device is exhausted */
  ODLA_UNSUPPORTED_DATATYPE = 5,    /**< not with this element type */
  ODLA_UNSUPPORTED_DEVICE_TYPE = 6, /**< no such device, or none that works */
  ODLA_UNSUPPORTED_OP = 7,          /**< not with this op */
  ODLA_TIMEOUT = 8,                 /**< the device did not become free in time */
  ODLA_INTERNAL_LOGIC_ERR = 9,      /**< a fault of the library or of the program on the device */
  ODLA_RECOVERABLE_ERR = 10,        /**< the device failed; run again */
  ODLA_PARTITION_RESET = 11,        /**< the device failed; reset its partition first */
  ODLA_FULL_RESET = 12,             /**< the device failed; reset it whole first */
  ODLA_UNRECOVERABLE_ERR = 13,      /**< the device failed for good */
  ODLA_FAILURE = 14,                /**< any other failure */
} odla_status;

/** Types of a tensor's elements. */
typedef enum {
  ODLA_INT8 = 0,
  ODLA_INT16 = 1,
  ODLA_INT32 = 2,
  ODLA_INT64 = 3,
  ODLA_UINT8 = 4,
  ODLA_UINT16 = 5,
  ODLA_UINT32 = 6,
  ODLA_UINT64 = 7,
  ODLA_QINT8 = 8,
  ODLA_QINT16 = 9,
  ODLA_QINT32 = 10,
  ODLA_QINT64 = 11,
  ODLA_QUINT8 = 12,
  ODLA_QUINT16 = 13,
  ODLA_QUINT32 = 14,
  ODLA_QUINT64 = 15,
  ODLA_FLOAT16 = 16,
  ODLA_BFLOAT16 = 17,
  ODLA_FLOAT32 = 18,
  ODLA_FLOAT64 = 19,
  ODLA_BOOL = 20,
  ODLA_STRING = 21,
} odla_element_type;

/**
 * A tensor of a computation. Ops return NULL when they fail, and take NULL where their comment says
 * so.
 */
typedef struct _odla_value* odla_value;

/**
 * The name of a value: a NUL-terminated string, cast. NULL and "" are allowed and name nothing. Ids
 * are copied.
 */
typedef struct _odla_value_id* odla_value_id;

/**
 * Rank and dimensions. size 0 is a scalar of one element, size -1 an undefined shape; a dimension
 * of -1 is unknown.
 */
typedef struct {
  odla_int32 size;
  odla_int64 dims[ODLA_MAX_DIMENSION];
} odla_value_shape;

typedef struct {
  odla_element_type element_type;
  odla_value_shape shape;
} odla_value_type;

/** Several values; an op with several results returns size 0 when it fails. */
typedef struct {
  odla_size_t size;
  odla_value values[ODLA_MAX_OUTPUTS];
} odla_values;

/** Ids of several values: value_ids[i] names values[i]. */
typedef struct {
  odla_size_t size;
  odla_value_id value_ids[ODLA_MAX_OUTPUTS];
} odla_value_ids;

/** One number or text; data_type says which member holds it. */
typedef struct {
  odla_element_type data_type;
  ODLA_UNNAMED union {
    odla_int32 val_int32;
    odla_uint32 val_uint32;
    odla_int64 val_int64;
    odla_uint64 val_uint64;
    odla_float32 val_fp32;
    odla_float64 val_fp64;
    odla_string val_str;
  };
} odla_scalar_value;

/** A device. Where a function allows NULL, that is the current or default device. */
typedef struct _odla_device* odla_device;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_COMMON_H */
