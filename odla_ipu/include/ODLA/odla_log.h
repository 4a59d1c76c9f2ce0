/* Messages of the library. */
#ifndef ODLA_IPU_ODLA_LOG_H
#define ODLA_IPU_ODLA_LOG_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** From silence to the most detailed. */
typedef enum {
  ODLA_LOG_LEVEL_OFF = 0,
  ODLA_LOG_LEVEL_FATAL = 1,
  ODLA_LOG_LEVEL_ERROR = 2,
  ODLA_LOG_LEVEL_WARN = 3,
  ODLA_LOG_LEVEL_INFO = 4,
  ODLA_LOG_LEVEL_DEBUG = 5,
  ODLA_LOG_LEVEL_TRACE = 6,
} odla_log_level;

/**
 * A logger: source file, line and function of the message, its level and text, valid during the
 * call.
 */
typedef void (*odla_logging_func)(const char* file_name, int line, const char* func_name,
                                  odla_log_level level, const char* msg);

/**
 * Sets the most detailed level that the default logger prints; ODLA_LOG_LEVEL_ERROR at the start.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetLogLevel(odla_log_level level);

/**
 * Replaces the default logger, which prints to stderr. The new one gets messages of all levels.
 * NULL restores the default one.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetLogger(odla_logging_func logger);

/** The function that gets messages now. */
ODLA_API_EXPORT odla_logging_func ODLA_API_CALL odla_GetLogger(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_LOG_H */
