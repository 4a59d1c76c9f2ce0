// Many threads, many runs, many computations; memory stays flat.
#include "check.h"

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

static long resident() {
  long pages = 0, kept = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &pages, &kept) != 2) return 0;
  fclose(file);
  return kept * 4; // KiB
}

static int threads_now() {
  int count = 0;
  char line[256];
  FILE* file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &count);
  if (file) fclose(file);
  return count;
}

static std::atomic<int> wrong{0}, calls{0};

static int counts(void*, odla_status status) {
  ++calls;
  wrong += status != ODLA_SUCCESS;
  return 0;
}

static odla_computation computation_of(int rows, int number) {
  odla_computation c = nullptr;
  std::vector<float> weights(64 * 64, 0);
  for (int i = 0; i < 64; ++i) weights[static_cast<size_t>(i * 65)] = static_cast<float>(number);
  odla_CreateComputation(&c);
  odla_value x = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(2, rows, 64)), ID("x"));
  odla_value w = odla_CreateConstant(type_of(ODLA_FLOAT32, shape_of(2, 64, 64)), weights.data(),
                                     ID("w"));
  odla_value y = odla_Gemm(x, 0, w, 0, 1, 0, nullptr, undefined_shape(), ID("y"));
  odla_SetValueAsOutput(odla_Relu(y, ID("z")));
  return c;
}

static void run_many(odla_computation c, int number, int rows, int runs) {
  odla_context k;
  std::vector<float> x(static_cast<size_t>(rows) * 64, 2), y(x.size());
  wrong += odla_CreateContext(&k) != ODLA_SUCCESS;
  for (int i = 0; i < runs; ++i) {
    x[0] = static_cast<float>(i);
    wrong += odla_BindToArgumentById(ID("x"), x.data(), k) != ODLA_SUCCESS;
    wrong += odla_BindToOutputById(ID("z"), y.data(), k) != ODLA_SUCCESS;
    wrong += odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, nullptr) != ODLA_SUCCESS;
    wrong += y[0] != static_cast<float>(i * number) || y[1] != static_cast<float>(2 * number);
  }
  wrong += odla_DestroyContext(k) != ODLA_SUCCESS;
}

CASE(a_thousand_runs_on_eight_threads) {
  odla_computation c = computation_of(4, 3);
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number)
    threads.emplace_back([c] { run_many(c, 3, 4, 125); });
  for (auto& one : threads) one.join();
  CHECK(wrong == 0);
  OK(odla_DestroyComputation(c));
}

CASE(fifty_computations_come_and_go) {
  long after_first = 0, after_last = 0;
  int threads_before = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::thread> threads;
    for (int number = 0; number < 2; ++number)
      threads.emplace_back([number] {
        for (int i = 0; i < 5; ++i) {
          odla_computation c = computation_of(2 + i, number + 2);
          run_many(c, number + 2, 2 + i, 3);
          wrong += odla_DestroyComputation(c) != ODLA_SUCCESS;
        }
      });
    for (auto& one : threads) one.join();
    if (round == 1) after_first = resident(), threads_before = threads_now();
    after_last = resident();
  }
  CHECK(wrong == 0);
  if (after_last > after_first + 20000)
    fail(__FILE__, __LINE__, "from %ld KiB to %ld KiB", after_first, after_last);
  if (threads_now() > threads_before + 1)
    fail(__FILE__, __LINE__, "from %d threads to %d", threads_before, threads_now());
}

CASE(runs_in_flight_from_many_threads) {
  enum { kThreads = 8, kRuns = 40 };
  odla_computation c = computation_of(4, 5);
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number)
    threads.emplace_back([c] {
      std::vector<float> x(4 * 64, 2);
      std::vector<std::vector<float>> y(kRuns, std::vector<float>(4 * 64));
      std::vector<odla_context> contexts(kRuns);
      int before = calls;
      (void)before;
      for (int i = 0; i < kRuns; ++i) {
        odla_context& k = contexts[static_cast<size_t>(i)];
        odla_CreateContext(&k);
        odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)counts);
        odla_BindToArgumentById(ID("x"), x.data(), k);
        odla_BindToOutputById(ID("z"), y[static_cast<size_t>(i)].data(), k);
        wrong += odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, nullptr) !=
                 ODLA_SUCCESS;
      }
      while (calls < kThreads * kRuns) std::this_thread::yield();
      for (auto& one : y) wrong += one[7] != 10;
      for (auto k : contexts) odla_DestroyContext(k);
    });
  for (auto& one : threads) one.join();
  CHECK(calls == kThreads * kRuns);
  CHECK(wrong == 0);
  OK(odla_DestroyComputation(c));
}

CASE(interpreted_values_do_not_pile_up) {
  long before = 0;
  float in[256] = {1}, out[256];
  for (int i = 0; i < 600; ++i) {
    odla_value x = odla_CreateValue(floats(256), ID("in"));
    OK(odla_SetValueData(x, in));
    odla_value y = odla_Add(x, x, ID("sum"));
    OK(odla_GetValueData(y, out, nullptr));
    OK(odla_ReleaseValue(y));
    if (i == 200) before = resident();
  }
  if (resident() > before + 4000)
    fail(__FILE__, __LINE__, "from %ld KiB to %ld KiB", before, resident());
}

CASE(failures_from_many_threads) {
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int number = 0; number < 8; ++number)
    threads.emplace_back([&failures] {
      for (int i = 0; i < 100; ++i) {
        odla_computation c;
        odla_CreateComputation(&c);
        odla_value x = odla_CreateArgument(floats(2), ID("x"));
        odla_value bad = odla_Concat(values_of(2, x, x), 7, undefined_shape(), ID("bad"));
        failures += bad == nullptr && strstr(odla_ipu_LastError(), "odla_Concat") != nullptr;
        odla_DestroyComputation(c);
        failures += odla_Relu(x, nullptr) == nullptr;
      }
    });
  for (auto& one : threads) one.join();
  CHECK(failures == 1600);
}

// Rows of a matrix after some milliseconds of work; with a variable, runs line up for their turn.
static odla_computation rows_of(bool with_variable) {
  enum { kSize = 256 };
  static std::vector<float> identity, zeros(kSize * kSize);
  odla_computation c = nullptr;
  identity.assign(kSize * kSize, 0);
  for (size_t i = 0; i < kSize; ++i) identity[i * (kSize + 1)] = 1;
  odla_value_type square = type_of(ODLA_FLOAT32, shape_of(2, kSize, kSize));
  odla_CreateComputation(&c);
  odla_value rows = odla_CreateArgument(type_of(ODLA_INT32, shape_of(1, 4)), ID("rows"));
  odla_value x = odla_CreateArgument(square, ID("x"));
  odla_value w = odla_CreateConstant(square, identity.data(), ID("w"));
  if (with_variable) {
    odla_value v = odla_CreateVariable(square, ID("v"));
    odla_SetValueData(v, zeros.data());
    x = odla_Add(x, v, nullptr);
  }
  for (int i = 0; i < 8; ++i)
    x = odla_Gemm(x, 0, w, 0, 1, 0, nullptr, undefined_shape(), nullptr);
  odla_SetValueAsOutput(odla_Gather(x, rows, 0, undefined_shape(), ID("y")));
  return c;
}

// Every other run has an index that is out of range, each thread one of its own.
static void run_long(odla_computation c, int number, int runs) {
  enum { kSize = 256 };
  odla_context k;
  std::vector<float> x(kSize * kSize), y(4 * kSize);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i / kSize + 1000 * number);
  wrong += odla_CreateContext(&k) != ODLA_SUCCESS;
  for (int i = 0; i < runs; ++i) {
    int rows[4] = {0, number, 255, i % 2 ? 7000 + number : i % 256};
    odla_BindToArgumentById(ID("x"), x.data(), k);
    odla_BindToArgumentById(ID("rows"), rows, k);
    odla_BindToOutputById(ID("y"), y.data(), k);
    odla_status status = odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, nullptr);
    if (i % 2) {
      char index[16];
      snprintf(index, sizeof index, "%d", rows[3]);
      wrong += status != ODLA_INVALID_PARAM || !strstr(odla_ipu_LastError(), index);
      continue;
    }
    wrong += status != ODLA_SUCCESS;
    for (size_t row = 0; row < 4; ++row)
      for (size_t j = 0; j < kSize; j += 85)
        wrong += y[row * kSize + j] != static_cast<float>(rows[row] + 1000 * number);
  }
  wrong += odla_DestroyContext(k) != ODLA_SUCCESS;
}

static void long_runs_on_eight_threads(bool with_variable) {
  odla_computation c = rows_of(with_variable);
  std::vector<std::thread> threads;
  wrong = 0;
  for (int number = 0; number < 8; ++number)
    threads.emplace_back([c, number] { run_long(c, number, 40); });
  for (auto& one : threads) one.join();
  CHECK(wrong == 0);
  OK(odla_DestroyComputation(c));
}

CASE(long_runs_on_eight_threads_side_by_side) { long_runs_on_eight_threads(false); }

CASE(long_runs_on_eight_threads_in_turn) { long_runs_on_eight_threads(true); }

CASE(one_context_on_eight_threads) {
  odla_computation c = rows_of(false);
  odla_context k;
  std::vector<float> x(256 * 256, 3), y(4 * 256);
  int rows[4] = {0, 1, 2, 3};
  std::vector<std::thread> threads;
  wrong = 0;
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), x.data(), k));
  OK(odla_BindToArgumentById(ID("rows"), rows, k));
  OK(odla_BindToOutputById(ID("y"), y.data(), k));
  for (int number = 0; number < 8; ++number)
    threads.emplace_back([c, k] {
      for (int i = 0; i < 20; ++i)
        wrong += odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, nullptr) != ODLA_SUCCESS;
    });
  for (auto& one : threads) one.join();
  CHECK(wrong == 0);
  CHECK(y[0] == 3 && y[4 * 256 - 1] == 3);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}
