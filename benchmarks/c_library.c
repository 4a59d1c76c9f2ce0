/* What calls of the C library cost; c_library.py builds, runs and explains it. */
#define _POSIX_C_SOURCE 200809L
#include <ODLA/odla_ipu.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ID(text) ((odla_value_id)(text))

static void check(odla_status status, int line) {
  if (status == ODLA_SUCCESS) return;
  fprintf(stderr, "line %d: status %d: %s\n", line, status, odla_ipu_LastError());
  exit(1);
}
#define CHECK(call) check(call, __LINE__)

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int order(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static double median(double* times, int count) {
  qsort(times, (size_t)count, sizeof *times, order);
  return times[count / 2];
}

static odla_value_type type(int rank, const odla_int64* dims) {
  odla_value_type result = {ODLA_FLOAT32, {0, {0}}};
  result.shape.size = rank;
  for (int axis = 0; axis < rank; ++axis) result.shape.dims[axis] = dims[axis];
  return result;
}

static odla_value weights(int rank, const odla_int64* dims, const char* id) {
  odla_int64 count = 1;
  for (int axis = 0; axis < rank; ++axis) count *= dims[axis];
  float* data = malloc((size_t)count * sizeof(float));
  for (odla_int64 i = 0; i < count; ++i) data[i] = (float)(i % 7 - 3) / 64;
  odla_value value = odla_CreateConstant(type(rank, dims), data, ID(id));
  free(data);
  return value;
}

/* The models; c_library.py has the same ones in ONNX. */

static odla_int64 elements;

static odla_computation tiny(void) {
  odla_computation computation;
  const odla_int64 vector[2] = {1, 8}, matrix[2] = {8, 8};
  elements = 8;
  CHECK(odla_CreateComputation(&computation));
  odla_value x = odla_CreateArgument(type(2, vector), ID("x"));
  x = odla_Gemm(x, 0, weights(2, matrix, "w1"), 0, 1, 1, NULL, type(2, vector).shape, ID("h"));
  x = odla_Relu(x, ID("r"));
  x = odla_Gemm(x, 0, weights(2, matrix, "w2"), 0, 1, 1, NULL, type(2, vector).shape, ID("y"));
  CHECK(odla_SetValueAsOutput(x));
  return computation;
}

static odla_computation large(void) {
  odla_computation computation;
  const odla_int64 image[4] = {1, 64, 56, 56}, kernel[4] = {64, 64, 3, 3};
  const odla_uint32 ones[2] = {1, 1};
  char ids[2][8];
  elements = 64 * 56 * 56;
  CHECK(odla_CreateComputation(&computation));
  odla_value x = odla_CreateArgument(type(4, image), ID("x"));
  for (int i = 0; i < 4; ++i) {
    snprintf(ids[0], 8, "w%d", i);
    snprintf(ids[1], 8, i < 3 ? "c%d" : "y", i);
    x = odla_Conv(x, ODLA_CHANNELS_FIRST, 1, weights(4, kernel, ids[0]), ODLA_OIS, ones, ones, ones,
                  ones, NULL, type(4, image).shape, ID(ids[1]));
  }
  CHECK(odla_SetValueAsOutput(x));
  return computation;
}

/* Bind, execute, read. */

static float call(odla_computation computation, odla_context context, const float* x, float* y) {
  CHECK(odla_BindToArgumentById(ID("x"), x, context));
  CHECK(odla_BindToOutputById(ID("y"), y, context));
  CHECK(odla_ExecuteComputation(computation, context, ODLA_COMPUTE_INFERENCE, NULL));
  return y[0];
}

static float* ramp(odla_int64 count) {
  float* data = malloc((size_t)count * sizeof(float));
  for (odla_int64 i = 0; i < count; ++i) data[i] = (float)(i % 5 - 2) / 4;
  return data;
}

static void calls(odla_computation computation, int count) {
  odla_context context;
  float *x = ramp(elements), *y = ramp(elements), sum = 0;
  double* times = malloc((size_t)count * sizeof(double));
  CHECK(odla_CreateContext(&context));
  for (int i = 0; i < count / 5 + 2; ++i) sum += call(computation, context, x, y);
  for (int i = 0; i < count; ++i) {
    double start = now();
    sum += call(computation, context, x, y);
    times[i] = now() - start;
  }
  printf("call %.3f %.6g\n", 1e6 * median(times, count), sum);
  for (int i = 0; i < count; ++i) {
    double start = now();
    CHECK(odla_BindToArgumentById(ID("x"), x, context));
    CHECK(odla_BindToOutputById(ID("y"), y, context));
    times[i] = now() - start;
  }
  printf("bind %.3f\n", 1e6 * median(times, count));
}

/* Threads, each with a context of its own; they begin together, when all are ready. */

#define THREADS 8

struct work {
  odla_computation computation;
  int count;
  pthread_barrier_t* ready;
  double end;
  pthread_t thread;
};

static void* work(void* given) {
  struct work* mine = given;
  odla_context context;
  float *x = ramp(elements), *y = ramp(elements);
  CHECK(odla_CreateContext(&context));
  for (int i = 0; i < 2; ++i) call(mine->computation, context, x, y);
  pthread_barrier_wait(mine->ready);
  for (int i = 0; i < mine->count; ++i) call(mine->computation, context, x, y);
  mine->end = now();
  CHECK(odla_DestroyContext(context));
  free(x), free(y);
  return NULL;
}

static double at_once(odla_computation computation, int count) {
  struct work all[THREADS];
  pthread_barrier_t ready;
  double start, end = 0;
  pthread_barrier_init(&ready, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; ++i) {
    all[i].computation = computation;
    all[i].count = count / THREADS;
    all[i].ready = &ready;
    pthread_create(&all[i].thread, NULL, work, &all[i]);
  }
  pthread_barrier_wait(&ready);
  start = now();
  for (int i = 0; i < THREADS; ++i) {
    pthread_join(all[i].thread, NULL);
    if (all[i].end > end) end = all[i].end;
  }
  pthread_barrier_destroy(&ready);
  return end - start;
}

/* The same work, with as many contexts and as much memory, one after the other. */
static double one_by_one(odla_computation computation, int count) {
  odla_context contexts[THREADS];
  float *x[THREADS], *y[THREADS];
  for (int i = 0; i < THREADS; ++i) {
    x[i] = ramp(elements), y[i] = ramp(elements);
    CHECK(odla_CreateContext(&contexts[i]));
    for (int k = 0; k < 2; ++k) call(computation, contexts[i], x[i], y[i]);
  }
  double start = now();
  for (int i = 0; i < THREADS; ++i)
    for (int k = 0; k < count / THREADS; ++k) call(computation, contexts[i], x[i], y[i]);
  double taken = now() - start;
  for (int i = 0; i < THREADS; ++i) {
    CHECK(odla_DestroyContext(contexts[i]));
    free(x[i]), free(y[i]);
  }
  return taken;
}

static void threads(odla_computation computation, int count) {
  double ratio[7];
  one_by_one(computation, THREADS);
  at_once(computation, count);
  for (int round = 0; round < 7; ++round) {
    double one = one_by_one(computation, count);
    ratio[round] = at_once(computation, count) / one;
  }
  printf("threads %.4f\n", median(ratio, 7));
}

/* A graph of 1,000 ops. */

static void build(int count) {
  double times[64], first = 0;
  clock_t busy = 0;
  const odla_int64 dims[2] = {4, 16}, vector[1] = {16};
  char ids[1000][8];
  for (int i = 0; i < 1000; ++i) snprintf(ids[i], 8, "op%d", i);
  for (int round = 0; round < count; ++round) {
    odla_computation computation;
    double start = now();
    clock_t before = clock();
    CHECK(odla_CreateComputation(&computation));
    odla_value x = odla_CreateArgument(type(2, dims), ID("x"));
    odla_value bias = weights(1, vector, "b");
    for (int i = 0; i < 1000; ++i)
      x = i % 2 ? odla_Relu(x, ID(ids[i])) : odla_Add(x, bias, ID(ids[i]));
    CHECK(odla_SetValueAsOutput(x));
    times[round] = now() - start;
    if (round) busy += clock() - before;
    if (!round) first = times[0];
    CHECK(odla_DestroyComputation(computation));
  }
  printf("build %.3f %.3f %.3f\n", 1e3 * median(times, count), 1e3 * first,
         1e3 * (double)busy / CLOCKS_PER_SEC / (count - 1));
}

/* Memory of constants. */

static double resident(void) {
  long size, pages;
  FILE* file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2) exit(1);
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void constants(int megabytes) {
  odla_computation computation = tiny();
  odla_context context;
  const odla_int64 dims[2] = {(odla_int64)megabytes << 13, 32};
  size_t size = (size_t)megabytes << 20;
  float *x = ramp(8), *y = ramp((odla_int64)megabytes << 13);
  CHECK(odla_CreateContext(&context));
  call(computation, context, x, y);
  float* data = malloc(size);
  for (size_t i = 0; i < size / sizeof(float); ++i) data[i] = (float)(i % 7);
  double before = resident();
  CHECK(odla_CreateComputation(&computation));
  odla_value w = odla_CreateConstant(type(2, dims), data, ID("w"));
  double made = resident();
  free(data);
  odla_value v = odla_CreateArgument(type(2, (odla_int64[2]){32, 1}), ID("x"));
  odla_value product = odla_Gemm(w, 0, v, 0, 1, 1, NULL,
                                 type(2, (odla_int64[2]){dims[0], 1}).shape, ID("y"));
  CHECK(odla_SetValueAsOutput(product));
  float* input = ramp(32);
  CHECK(odla_CreateContext(&context));
  call(computation, context, input, y);
  double ran = resident();
  printf("constants %.1f %.1f\n", made - before, ran - before + (double)megabytes);
}

int main(int argc, char** argv) {
  int number = argc > 2 ? atoi(argv[2]) : 0;
  const char* what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "tiny")) calls(tiny(), number);
  else if (!strcmp(what, "large")) calls(large(), number);
  else if (!strcmp(what, "tiny-threads")) threads(tiny(), number);
  else if (!strcmp(what, "large-threads")) threads(large(), number);
  else if (!strcmp(what, "build")) build(number);
  else if (!strcmp(what, "constants")) constants(number);
  else return 2;
  return 0;
}
