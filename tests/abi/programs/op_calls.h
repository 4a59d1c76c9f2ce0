/* What the calls of ops that op_calls.py generates need; it is included by their one source file. */
#include "check.h"

struct call {
  const char* name;
  void (*call)(const odla_value* x, odla_values* results);
  void (*misuse)(const odla_value* x);
};
extern const struct call calls[];
extern const int num_calls;

static odla_value freed_value;
static odla_computation freed_computation;

static UNUSED void one(odla_values* results, odla_value value) {
  memset(results, 0, sizeof *results);
  results->size = value != NULL;
  results->values[0] = value;
}

static UNUSED odla_values several(const odla_value* x, int first, int count) {
  odla_values values;
  int i;
  memset(&values, 0, sizeof values);
  values.size = (odla_size_t)count;
  for (i = 0; i < count; ++i) values.values[i] = x[first + i];
  return values;
}

static UNUSED odla_value_shape sized_shape(int size) {
  odla_value_shape shape = shape_of(10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
  shape.size = size;
  return shape;
}

static UNUSED odla_values many_values(odla_size_t size) {
  odla_values values;
  memset(&values, 0, sizeof values);
  values.size = size;
  return values;
}

static UNUSED odla_value_ids many_ids(odla_size_t size) {
  odla_value_ids ids;
  memset(&ids, 0, sizeof ids);
  ids.size = size;
  return ids;
}

static void refused(const char* name, int line, int must, int is_null) {
  if (!is_null) {
    if (must) fail(__FILE__, line, "%s was taken", name);
  } else if (strncmp(odla_ipu_LastError(), name, strlen(name))) {
    fail(__FILE__, line, "%s: the last error is \"%s\"", name, odla_ipu_LastError());
  }
}

static UNUSED void refuses_one(const char* name, int line, int must, odla_value value) {
  refused(name, line, must, value == NULL);
}

static UNUSED void refuses_many(const char* name, int line, int must, odla_values values) {
  refused(name, line, must, values.size == 0);
}

/* Operands of the next call, from the file. */
struct operands {
  odla_value values[64];
  void* data[64];
  int count;
};

static int64_t number(FILE* file) {
  int64_t found = 0;
  if (fread(&found, 8, 1, file) != 1) exit(9);
  return found;
}

static void read_operands(FILE* file, struct operands* x) {
  int i, axis;
  x->count = (int)number(file);
  for (i = 0; i < x->count; ++i) {
    int is_constant = (int)number(file);
    odla_value_type type;
    size_t bytes;
    char id[16];
    memset(&type, 0, sizeof type);
    type.element_type = (odla_element_type)number(file);
    type.shape.size = (int)number(file);
    for (axis = 0; axis < type.shape.size; ++axis) type.shape.dims[axis] = number(file);
    bytes = (size_t)number(file);
    x->data[i] = malloc(bytes + 1);
    if (bytes && fread(x->data[i], bytes, 1, file) != 1) exit(9);
    sprintf(id, "x%d", i);
    x->values[i] = is_constant ? odla_CreateConstant(type, x->data[i], ID(id))
                               : odla_CreateArgument(type, ID(id));
    CHECK(x->values[i] != NULL);
  }
}

static void bind_operands(odla_computation c, odla_context k, struct operands* x) {
  odla_uint32 count, i;
  OK(odla_GetNumOfArgsFromComputation(c, &count));
  for (i = 0; i < (odla_uint32)x->count; ++i) {
    odla_value value;
    odla_uint32 j;
    for (j = 0; j < count; ++j) {
      OK(odla_GetArgFromComputationByIdx(c, j, &value));
      if (value == x->values[i]) OK(odla_BindToArgument(value, x->data[i], k));
    }
  }
}

static void free_operands(struct operands* x) {
  while (x->count) free(x->data[--x->count]);
}

static void write_number(FILE* file, int64_t one_number) { fwrite(&one_number, 8, 1, file); }

static void write_failure(FILE* file) {
  const char* text = odla_ipu_LastError();
  int64_t size = (int64_t)strlen(text) + 1;
  write_number(file, -size);
  fwrite(text, (size_t)size, 1, file);
}

static size_t width_of(odla_element_type kind) {
  const int widths[] = {1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 1, 8};
  return (size_t)widths[kind];
}

static void write_results(FILE* file, odla_context k, const odla_values* results) {
  size_t i;
  int axis;
  write_number(file, (int64_t)results->size);
  for (i = 0; i < results->size; ++i) {
    odla_value_type type;
    size_t bytes;
    void* data;
    memset(&type, 0, sizeof type);
    OK(odla_GetRuntimeValueType(k, results->values[i], &type));
    bytes = width_of(type.element_type);
    write_number(file, type.element_type);
    write_number(file, type.shape.size);
    for (axis = 0; axis < type.shape.size; ++axis) {
      write_number(file, type.shape.dims[axis]);
      bytes *= (size_t)type.shape.dims[axis];
    }
    data = calloc(bytes + 1, 1);
    OK(odla_GetValueData(results->values[i], data, k));
    fwrite(data, bytes, 1, file);
    free(data);
  }
}

CASE(calls_of_ops) {
  FILE* in = fopen("operands", "rb");
  FILE* out = fopen("results", "wb");
  int i;
  if (!in || !out) exit(8);
  for (i = 0; i < num_calls; ++i) {
    struct operands x;
    odla_computation c;
    odla_context k;
    odla_values results;
    OK(odla_CreateComputation(&c));
    read_operands(in, &x);
    calls[i].call(x.values, &results);
    OK(odla_CreateContext(&k));
    if (results.size == 0) {
      write_failure(out);
    } else {
      OK(odla_SetValuesAsOutput(results));
      bind_operands(c, k, &x);
      if (odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL) != ODLA_SUCCESS)
        write_failure(out);
      else
        write_results(out, k, &results);
    }
    OK(odla_DestroyContext(k));
    OK(odla_DestroyComputation(c));
    free_operands(&x);
  }
  fclose(in);
  fclose(out);
}

CASE(misuse_of_ops) {
  FILE* in = fopen("operands", "rb");
  int i;
  if (!in) exit(8);
  OK(odla_CreateComputation(&freed_computation));
  freed_value = odla_CreateArgument(floats(1), ID("freed"));
  OK(odla_DestroyComputation(freed_computation));
  for (i = 0; i < num_calls; ++i) {
    struct operands x;
    odla_computation c;
    OK(odla_CreateComputation(&c));
    read_operands(in, &x);
    calls[i].misuse(x.values);
    OK(odla_DestroyComputation(c));
    free_operands(&x);
  }
  fclose(in);
}
