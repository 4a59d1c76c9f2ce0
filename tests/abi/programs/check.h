/*
 * Cases of a test program, and checks.  Each CASE is run in the order of the text (or those that the
 * command line names) and reported on stdout, which the Python side reads:
 *   case NAME / fail NAME: what / done NAME
 */
#ifndef CHECK_H
#define CHECK_H

#include <ODLA/odla_ipu.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED __attribute__((unused))

typedef void (*case_function)(void);

static struct {
  const char* name;
  case_function function;
} all_cases[256];
static int num_cases, num_failures;
static const char* this_case = "";

#define CASE(title)                                                  \
  static void title(void);                                           \
  __attribute__((constructor)) static void add_case_##title(void) {  \
    all_cases[num_cases].name = #title;                              \
    all_cases[num_cases++].function = title;                         \
  }                                                                  \
  static void title(void)

static void fail(const char* file, int line, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(const char* file, int line, const char* format, ...) {
  va_list arguments;
  const char* slash = strrchr(file, '/');
  ++num_failures;
  printf("fail %s: %s:%d: ", this_case, slash ? slash + 1 : file, line);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\n");
  fflush(stdout);
}

static UNUSED void check_status(const char* file, int line, const char* call, odla_status got,
                                odla_status wanted) {
  if (got != wanted)
    fail(file, line, "%s gave %d, not %d; last error: %s", call, (int)got, (int)wanted,
         odla_ipu_LastError());
}

static UNUSED void check_error(const char* file, int line, const char* wanted) {
  if (!strstr(odla_ipu_LastError(), wanted))
    fail(file, line, "the last error, \"%s\", does not say \"%s\"", odla_ipu_LastError(), wanted);
}

static UNUSED void check_near(const char* file, int line, const float* got, const float* wanted,
                              int count, double tolerance) {
  int i;
  for (i = 0; i < count; ++i)
    if (!(fabs((double)got[i] - (double)wanted[i]) <= tolerance)) {
      fail(file, line, "[%d] is %g, not %g", i, (double)got[i], (double)wanted[i]);
      return;
    }
}

#define CHECK(condition) \
  do {                   \
    if (!(condition)) fail(__FILE__, __LINE__, "not so: %s", #condition); \
  } while (0)
#define STATUS(wanted, call) check_status(__FILE__, __LINE__, #call, (call), (wanted))
#define OK(call) STATUS(ODLA_SUCCESS, call)
#define INVALID(call) STATUS(ODLA_INVALID_PARAM, call)
/* What the last failure's message says. */
#define SAYS(text) check_error(__FILE__, __LINE__, text)
#define NEAR(got, wanted, count) check_near(__FILE__, __LINE__, (got), (wanted), (count), 1e-5)
/* An op that must fail; then the message says so. */
#define NO_VALUE(call, text) \
  do {                       \
    CHECK((call) == NULL);   \
    SAYS(text);              \
  } while (0)

/* Shapes, types and ids. */

static UNUSED odla_value_shape shape_of(int rank, ...) {
  odla_value_shape shape;
  va_list arguments;
  int axis;
  memset(&shape, 0, sizeof shape);
  shape.size = rank;
  va_start(arguments, rank);
  for (axis = 0; axis < rank; ++axis) shape.dims[axis] = va_arg(arguments, int);
  va_end(arguments);
  return shape;
}

static UNUSED odla_value_shape undefined_shape(void) {
  odla_value_shape shape = shape_of(0);
  shape.size = -1;
  return shape;
}

static UNUSED odla_value_type type_of(odla_element_type element, odla_value_shape shape) {
  odla_value_type type;
  type.element_type = element;
  type.shape = shape;
  return type;
}

/* FLOAT32 of rank 1. */
static UNUSED odla_value_type floats(int count) {
  return type_of(ODLA_FLOAT32, shape_of(1, count));
}

#define ID(text) ((odla_value_id)(text))

static UNUSED odla_value_ids ids_of(int count, ...) {
  odla_value_ids ids;
  va_list arguments;
  int i;
  memset(&ids, 0, sizeof ids);
  ids.size = (odla_size_t)count;
  va_start(arguments, count);
  for (i = 0; i < count; ++i) ids.value_ids[i] = va_arg(arguments, odla_value_id);
  va_end(arguments);
  return ids;
}

static UNUSED odla_values values_of(int count, ...) {
  odla_values values;
  va_list arguments;
  int i;
  memset(&values, 0, sizeof values);
  values.size = (odla_size_t)count;
  va_start(arguments, count);
  for (i = 0; i < count; ++i) values.values[i] = va_arg(arguments, odla_value);
  va_end(arguments);
  return values;
}

/* y = Relu(x + [1, 2, 3]), FLOAT32 [3]. */
static UNUSED odla_computation small_computation(void) {
  odla_computation computation = NULL;
  const float one[3] = {1, 2, 3};
  odla_value x, c;
  OK(odla_CreateComputation(&computation));
  x = odla_CreateArgument(floats(3), ID("x"));
  c = odla_CreateConstant(floats(3), one, ID("c"));
  OK(odla_SetValueAsOutput(odla_Relu(odla_Add(x, c, ID("sum")), ID("y"))));
  return computation;
}

/* Runs it; 1 when the result is right. */
static UNUSED int small_runs(odla_computation computation, odla_context context) {
  const float x[3] = {-2, 0, 1};
  float y[3] = {9, 9, 9};
  OK(odla_BindToArgumentById(ID("x"), x, context));
  OK(odla_BindToOutputById(ID("y"), y, context));
  OK(odla_ExecuteComputation(computation, context, ODLA_COMPUTE_INFERENCE, NULL));
  return y[0] == 0 && y[1] == 2 && y[2] == 4;
}

/* Handles that are none: pointers of the program, numbers, and one past all. */
static int something;
static void* const not_handles[] UNUSED = {
    (void*)&something,         (void*)&num_cases,          (void*)1,
    (void*)8,                  (void*)4095,                (void*)~0ul,
    (void*)0xdeadbeefdeadbeef, (void*)0x0d1a100000000000,  (void*)0x0d1a200000000001,
    (void*)0x0d1a1fffffffffff, (void*)0x00000000ffffffff,  (void*)0x0d1a90000f000000};
#define NOT_HANDLES (sizeof not_handles / sizeof *not_handles)

/* Calls `call` with `handle` as each of them, and as NULL: INVALID_PARAM. */
#define REFUSES_HANDLES(kind, call)                                  \
  do {                                                               \
    size_t which_;                                                   \
    kind handle = NULL;                                              \
    INVALID(call);                                                   \
    SAYS(" is NULL");                                                \
    for (which_ = 0; which_ < NOT_HANDLES; ++which_) {               \
      handle = (kind)not_handles[which_];                            \
      INVALID(call);                                                 \
    }                                                                \
  } while (0)

int main(int count, char** names) {
  int i, j;
  for (i = 0; i < num_cases; ++i) {
    int chosen = count == 1, before = num_failures;
    for (j = 1; j < count; ++j) chosen |= !strcmp(names[j], all_cases[i].name);
    if (!chosen) continue;
    this_case = all_cases[i].name;
    printf("case %s\n", this_case);
    fflush(stdout);
    all_cases[i].function();
    if (num_failures == before) printf("done %s\n", this_case);
    fflush(stdout);
  }
  return num_failures != 0;
}

#endif
