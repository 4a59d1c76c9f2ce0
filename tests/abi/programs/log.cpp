// odla_log.h and odla_version.h: nothing here needs Python but the version text.
#include "check.h"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::string logged;
static int calls;

static void keeps(const char* file, int line, const char* function, odla_log_level level,
                  const char* message) {
  ++calls;
  CHECK(file != nullptr && function != nullptr && message != nullptr && line >= 0);
  CHECK(level == ODLA_LOG_LEVEL_ERROR);
  logged = message;
}

static void throws(const char*, int, const char*, odla_log_level, const char* message) {
  throw std::runtime_error(message);
}

static void throws_a_number(const char*, int, const char*, odla_log_level, const char*) {
  throw 5;
}

static void calls_back(const char*, int, const char*, odla_log_level, const char*) {
  if (++calls < 5) INVALID(odla_DestroyContext(nullptr));
}

CASE(loggers_get_all_levels) {
  calls = 0;
  OK(odla_SetLogger(keeps));
  CHECK(odla_GetLogger() == keeps);
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_OFF));
  INVALID(odla_DestroyContext(nullptr));
  CHECK(calls == 1);
  CHECK(logged == odla_ipu_LastError());
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_ERROR));
  OK(odla_SetLogger(nullptr));
}

CASE(loggers_may_throw) {
  OK(odla_SetLogger(throws));
  INVALID(odla_DestroyContext(nullptr));
  SAYS("odla_DestroyContext");
  NO_VALUE(odla_Relu((odla_value)&something, nullptr), "odla_Relu"); // found out without Python
  OK(odla_SetLogger(throws_a_number));
  INVALID(odla_DestroyContext(nullptr));
  OK(odla_SetLogger(nullptr));
}

CASE(loggers_may_call_the_library) {
  calls = 0;
  OK(odla_SetLogger(calls_back));
  INVALID(odla_DestroyComputation(nullptr));
  SAYS("odla_DestroyComputation"); // the outermost failure is the last one
  CHECK(calls == 5);
  OK(odla_SetLogger(nullptr));
}

CASE(the_default_logger_is_callable) {
  odla_logging_func logger = odla_GetLogger();
  CHECK(logger != nullptr);
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_TRACE));
  for (int level = -2; level < 10; ++level)
    logger("/some/file.c", level, "function", static_cast<odla_log_level>(level), "message");
  logger(nullptr, 0, nullptr, ODLA_LOG_LEVEL_INFO, nullptr);
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_OFF));
  logger("file.c", 1, "function", ODLA_LOG_LEVEL_FATAL, "unseen");
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_ERROR));
}

CASE(levels) {
  for (int level = 0; level <= 6; ++level) OK(odla_SetLogLevel(static_cast<odla_log_level>(level)));
  INVALID(odla_SetLogLevel(static_cast<odla_log_level>(7)));
  SAYS("level is 7");
  INVALID(odla_SetLogLevel(static_cast<odla_log_level>(-1)));
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_ERROR));
}

CASE(the_last_error_is_of_the_thread) {
  INVALID(odla_DestroyContext(nullptr));
  std::string other = "unset", after;
  std::thread([&] {
    other = odla_ipu_LastError();
    odla_DestroyComputation(nullptr);
    after = odla_ipu_LastError();
  }).join();
  CHECK(other == "");
  CHECK(after.find("odla_DestroyComputation") == 0);
  SAYS("odla_DestroyContext");
  // What succeeds leaves it.
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_ERROR));
  SAYS("odla_DestroyContext");
}

CASE(loggers_and_threads) {
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number)
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) {
        odla_SetLogger(i % 2 ? throws : throws_a_number);
        odla_SetLogLevel(static_cast<odla_log_level>(i % 7));
        odla_DestroyContext(nullptr);
      }
    });
  for (auto& one : threads) one.join();
  OK(odla_SetLogger(nullptr));
  OK(odla_SetLogLevel(ODLA_LOG_LEVEL_ERROR));
}

CASE(version_text) {
  const char* text = odla_GetVersionString();
  CHECK(text != nullptr && strstr(text, "odla_ipu ") == text);
  CHECK(strchr(text, '\n') != nullptr && strstr(text, "0.5.0") != nullptr);
  CHECK(odla_GetVersionString() == text);
#if ODLA_VERSION_NUMBER != 50
  CHECK(!"the version");
#endif
}
