/* The version of these headers, and of the library. */
#ifndef ODLA_IPU_ODLA_VERSION_H
#define ODLA_IPU_ODLA_VERSION_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The ODLA API that these headers declare: 0.5.0. */
#define ODLA_MAJOR 0
#define ODLA_MINOR 5
#define ODLA_PATCH 0

/** Two digits and more, to compare with: 50. */
#define ODLA_VERSION_NUMBER (ODLA_MAJOR * 100 + ODLA_MINOR * 10 + ODLA_PATCH)

/** Text of several lines: library, version, build and SDK. Static, never NULL. */
ODLA_API_EXPORT const char* ODLA_API_CALL odla_GetVersionString(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_VERSION_H */
