/* odla_compute.h: computations, executables, contexts, runs. */
#include "check.h"
#include "waited.h"

#include <unistd.h>

CASE(computation_is_created_and_destroyed) {
  odla_computation a, b;
  INVALID(odla_CreateComputation(NULL));
  SAYS("odla_CreateComputation: computation is NULL");
  OK(odla_CreateComputation(&a));
  OK(odla_CreateComputation(&b));
  CHECK(a && b && a != b);
  OK(odla_DestroyComputation(a));
  INVALID(odla_DestroyComputation(a));
  SAYS("a computation that is destroyed");
  OK(odla_DestroyComputation(b));
  REFUSES_HANDLES(odla_computation, odla_DestroyComputation(handle));
}

CASE(active_computation) {
  odla_computation a, b;
  odla_value value;
  odla_uint32 count;
  OK(odla_CreateComputation(&a));
  OK(odla_CreateComputation(&b));
  OK(odla_SetActiveComputation(a));
  CHECK(odla_CreateArgument(floats(2), ID("x")) != NULL);
  OK(odla_GetNumOfArgsFromComputation(a, &count));
  CHECK(count == 1);
  OK(odla_GetNumOfArgsFromComputation(b, &count));
  CHECK(count == 0);
  OK(odla_DestroyComputation(b));
  INVALID(odla_SetActiveComputation(b));
  value = odla_CreateArgument(floats(2), ID("x2"));
  CHECK(value != NULL);
  OK(odla_DestroyComputation(a));
  NO_VALUE(odla_CreateArgument(floats(2), ID("x")), "odla_CreateComputation first");
  NO_VALUE(odla_Relu(value, NULL), "destroyed");
  REFUSES_HANDLES(odla_computation, odla_SetActiveComputation(handle));
}

CASE(arguments_and_outputs_are_listed) {
  odla_computation c = small_computation();
  odla_value value, output;
  odla_uint32 count = 7;
  odla_value_id id;
  OK(odla_GetNumOfArgsFromComputation(c, &count));
  CHECK(count == 1);
  OK(odla_GetNumOfOutputsFromComputation(c, &count));
  CHECK(count == 1);
  OK(odla_GetArgFromComputationByIdx(c, 0, &value));
  OK(odla_GetValueId(value, &id));
  CHECK(!strcmp((const char*)id, "x"));
  OK(odla_GetOutputFromComputationByIdx(c, 0, &output));
  OK(odla_GetValueId(output, &id));
  CHECK(!strcmp((const char*)id, "y"));
  OK(odla_SetValueAsOutput(output)); /* twice is two */
  OK(odla_GetNumOfOutputsFromComputation(c, &count));
  CHECK(count == 2);
  OK(odla_GetOutputFromComputationByIdx(c, 1, &value));
  CHECK(value == output);
  value = (odla_value)&something;
  INVALID(odla_GetArgFromComputationByIdx(c, 1, &value));
  CHECK(value == NULL);
  SAYS("arg_idx is 1 of 1");
  value = (odla_value)&something;
  INVALID(odla_GetOutputFromComputationByIdx(c, 0xffffffffu, &value));
  CHECK(value == NULL);
  INVALID(odla_GetNumOfArgsFromComputation(c, NULL));
  INVALID(odla_GetNumOfOutputsFromComputation(c, NULL));
  INVALID(odla_GetArgFromComputationByIdx(c, 0, NULL));
  INVALID(odla_GetOutputFromComputationByIdx(c, 0, NULL));
  REFUSES_HANDLES(odla_computation, odla_GetNumOfArgsFromComputation(handle, &count));
  REFUSES_HANDLES(odla_computation, odla_GetNumOfOutputsFromComputation(handle, &count));
  REFUSES_HANDLES(odla_computation, odla_GetArgFromComputationByIdx(handle, 0, &value));
  REFUSES_HANDLES(odla_computation, odla_GetOutputFromComputationByIdx(handle, 0, &value));
  OK(odla_DestroyComputation(c));
}

CASE(bind_by_value_and_by_id) {
  odla_computation c = small_computation();
  odla_context k;
  odla_value x, y;
  const float in[3] = {1, -5, 0}, later[3] = {0, 0, 0}, wanted[3] = {2, 0, 3}, next[3] = {1, 2, 3};
  float out[3], other[3];
  odla_uint32 count;
  OK(odla_CreateContext(&k));
  OK(odla_GetArgFromComputationByIdx(c, 0, &x));
  OK(odla_GetOutputFromComputationByIdx(c, 0, &y));
  OK(odla_BindToArgument(x, in, k));
  OK(odla_BindToOutput(y, out, k));
  OK(odla_GetRuntimeNumOfOutputs(k, &count));
  CHECK(count == 1);
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, wanted, 3);
  /* The later of two bindings counts, by whatever it was made. */
  OK(odla_BindToArgumentById(ID("x"), later, k));
  OK(odla_BindToOutputById(ID("y"), other, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_DEFAULT, NULL));
  NEAR(other, next, 3);
  OK(odla_BindToArgument(x, in, k));
  OK(odla_BindToOutput(y, out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_DEFAULT, NULL));
  NEAR(out, wanted, 3);
  OK(odla_DestroyContext(k));
  INVALID(odla_BindToArgument(x, in, k));
  INVALID(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(misuse_of_bindings) {
  odla_computation c = small_computation();
  odla_context k;
  odla_value x, y, foreign;
  float memory[3] = {0, 0, 0};
  odla_computation other;
  OK(odla_CreateContext(&k));
  OK(odla_GetArgFromComputationByIdx(c, 0, &x));
  OK(odla_GetOutputFromComputationByIdx(c, 0, &y));
  INVALID(odla_CreateContext(NULL));
  INVALID(odla_BindToArgument(x, NULL, k));
  SAYS("data_ptr is NULL");
  INVALID(odla_BindToOutput(y, NULL, k));
  INVALID(odla_BindToArgument(y, memory, k));
  SAYS("is no argument");
  INVALID(odla_BindToOutput(x, memory, k));
  SAYS("is no output");
  INVALID(odla_BindToArgumentById(ID("nowhere"), memory, k));
  SAYS("nowhere");
  INVALID(odla_BindToArgumentById(ID("y"), memory, k));
  INVALID(odla_BindToOutputById(ID("x"), memory, k));
  INVALID(odla_BindToOutputById(ID("nowhere"), memory, k));
  INVALID(odla_BindToArgumentById(ID("x"), NULL, k));
  INVALID(odla_BindToOutputById(ID("y"), NULL, k));
  INVALID(odla_BindToArgumentById(NULL, memory, k));
  INVALID(odla_BindToOutputById(NULL, memory, k));
  INVALID(odla_BindToArgumentById(ID(""), memory, k));
  REFUSES_HANDLES(odla_value, odla_BindToArgument(handle, memory, k));
  REFUSES_HANDLES(odla_value, odla_BindToOutput(handle, memory, k));
  REFUSES_HANDLES(odla_context, odla_BindToArgument(x, memory, handle));
  REFUSES_HANDLES(odla_context, odla_BindToOutput(y, memory, handle));
  REFUSES_HANDLES(odla_context, odla_BindToArgumentById(ID("x"), memory, handle));
  REFUSES_HANDLES(odla_context, odla_BindToOutputById(ID("y"), memory, handle));
  REFUSES_HANDLES(odla_context, odla_DestroyContext(handle));
  /* Handles of another kind. */
  INVALID(odla_BindToArgument((odla_value)c, memory, k));
  INVALID(odla_BindToArgument((odla_value)k, memory, k));
  INVALID(odla_BindToArgument(x, memory, (odla_context)x));
  INVALID(odla_DestroyContext((odla_context)c));
  SAYS("a handle of a computation");
  INVALID(odla_DestroyComputation((odla_computation)k));
  /* A value of another computation. */
  OK(odla_CreateComputation(&other));
  foreign = odla_CreateArgument(floats(3), ID("f"));
  OK(odla_BindToArgument(foreign, memory, k));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  SAYS("'x'");
  OK(odla_DestroyComputation(other));
  INVALID(odla_BindToArgument(foreign, memory, k));
  CHECK(small_runs(c, k));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(misuse_of_execute) {
  odla_computation c = small_computation(), empty;
  odla_context k;
  float in[3] = {1, 1, 1}, out[3];
  OK(odla_CreateContext(&k));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  SAYS("nothing is bound to the argument 'x'");
  OK(odla_BindToArgumentById(ID("x"), in, k));
  /* An output that nobody wants is no error. */
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_BindToOutputById(ID("y"), out, k));
  INVALID(odla_ExecuteComputation(c, k, (odla_compute_mode)3, NULL));
  SAYS("mode is 3");
  INVALID(odla_ExecuteComputation(c, k, (odla_compute_mode)-1, NULL));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_TRAINING, NULL));
  REFUSES_HANDLES(odla_computation,
                  odla_ExecuteComputation(handle, k, ODLA_COMPUTE_INFERENCE, NULL));
  REFUSES_HANDLES(odla_context, odla_ExecuteComputation(c, handle, ODLA_COMPUTE_INFERENCE, NULL));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, (odla_device)&something));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, (odla_device)c));
  OK(odla_CreateComputation(&empty));
  INVALID(odla_ExecuteComputation(empty, k, ODLA_COMPUTE_INFERENCE, NULL));
  SAYS("no outputs");
  OK(odla_DestroyComputation(empty));
  INVALID(odla_ExecuteComputation(empty, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(small_runs(c, k));
  OK(odla_DestroyComputation(c));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyContext(k)); /* after its computation */
}

CASE(a_failed_op_is_told_at_the_end) {
  odla_computation c;
  odla_context k;
  odla_value bad, next;
  float memory[3] = {0};
  OK(odla_CreateComputation(&c));
  OK(odla_CreateContext(&k));
  bad = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(0)), ID("x"));
  CHECK(bad != NULL);
  next = odla_Concat(values_of(1, bad), 5, undefined_shape(), ID("joined"));
  CHECK(next == NULL);
  next = odla_Relu(next, ID("y"));
  CHECK(next == NULL);
  SAYS("odla_Concat"); /* the original error */
  INVALID(odla_SetValueAsOutput(next));
  SAYS("odla_Concat");
  INVALID(odla_BindToOutputById(ID("y"), memory, k));
  SAYS("odla_Concat");
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  SAYS("odla_Concat");
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(computation_items) {
  odla_computation c;
  bool on = true, off = false;
  int number = 1, bad = 0, three = 3, bf16 = BF16_ACCURACY_MODE, kind = ODLA_FLOAT16;
  odla_size_t size = 0;
  odla_value_quant_info info;
  memset(&info, 0, sizeof info);
  OK(odla_CreateComputation(&c));
  OK(odla_SetComputationItem(c, ODLA_USE_SIM_MODE, (odla_item_value)&on));
  OK(odla_SetComputationItem(c, ODLA_PROCESSOR_NUM, (odla_item_value)&number));
  OK(odla_SetComputationItem(c, ODLA_BATCHES_PER_STEP, (odla_item_value)&number));
  OK(odla_SetComputationItem(c, ODLA_DYNAMIC_BATCH, (odla_item_value)&on));
  OK(odla_SetComputationItem(c, ODLA_MIN_BATCH_SIZE, (odla_item_value)&number));
  OK(odla_SetComputationItem(c, ODLA_MAX_BATCH_SIZE, (odla_item_value)&three));
  OK(odla_SetComputationItem(c, ODLA_OPT_BATCH_SIZE, (odla_item_value)&number));
  OK(odla_SetComputationItem(c, ODLA_DYNAMIC_SHAPE, (odla_item_value)&on));
  OK(odla_SetComputationItem(c, ODLA_DYNAMIC_VALUE, (odla_item_value)&off));
  OK(odla_SetComputationItem(c, ODLA_BF16_MODE, (odla_item_value)&bf16));
  OK(odla_SetComputationItem(c, ODLA_FP16_MODE, (odla_item_value)&off));
  OK(odla_SetComputationItem(c, ODLA_USE_DATA_TYPE, (odla_item_value)&kind));
  OK(odla_SetComputationItem(c, ODLA_LOAD_ENGINE_MODE, (odla_item_value)&off));
  OK(odla_SetComputationItem(c, ODLA_USE_DLA_CORE, (odla_item_value)&number));
  OK(odla_SetComputationItem(c, ODLA_QUANT_TABLE, (odla_item_value)&info));
  OK(odla_SetComputationItem(c, ODLA_QUANT_TABLE_SIZE, (odla_item_value)&size));
  OK(odla_SetComputationItem(c, ODLA_ENABLE_ENGINE_CACHE, (odla_item_value)&off));
  OK(odla_SetComputationItem(c, ODLA_CACHE_DIR, (odla_item_value) "somewhere"));
  INVALID(odla_SetComputationItem(c, ODLA_PROCESSOR_NUM, (odla_item_value)&bad));
  INVALID(odla_SetComputationItem(c, ODLA_PROCESSOR_NUM, (odla_item_value)&three));
  INVALID(odla_SetComputationItem(c, ODLA_MAX_BATCH_SIZE, (odla_item_value)&bad));
  bf16 = 4;
  INVALID(odla_SetComputationItem(c, ODLA_BF16_MODE, (odla_item_value)&bf16));
  kind = 99;
  STATUS(ODLA_UNSUPPORTED_DATATYPE,
         odla_SetComputationItem(c, ODLA_USE_DATA_TYPE, (odla_item_value)&kind));
  INVALID(odla_SetComputationItem(c, ODLA_PROCESSOR_NUM, NULL));
  REFUSES_HANDLES(odla_computation,
                  odla_SetComputationItem(handle, ODLA_USE_SIM_MODE, (odla_item_value)&on));
  OK(odla_DestroyComputation(c));
}

CASE(unknown_items) {
  odla_computation c;
  odla_context k;
  int number = 1, item;
  const int unknown[] = {-1, 28, 999, 0x7fffffff};
  OK(odla_CreateComputation(&c));
  OK(odla_CreateContext(&k));
  for (item = 0; item < 4; ++item) {
    CHECK(odla_SetComputationItem(c, (odla_item_type)unknown[item], (odla_item_value)&number) !=
          ODLA_SUCCESS);
    CHECK(odla_SetContextItem(k, (odla_item_type)unknown[item], (odla_item_value)&number) !=
          ODLA_SUCCESS);
  }
  CHECK(odla_SetComputationItem(c, ODLA_RUN_BATCH_SIZE, (odla_item_value)&number));
  SAYS("odla_SetContextItem");
  INVALID(odla_SetContextItem(k, ODLA_PROCESSOR_NUM, (odla_item_value)&number));
  SAYS("odla_SetComputationItem");
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

static int no_callback(void* arg, odla_status status) {
  (void)arg;
  return (int)status;
}

CASE(context_items) {
  odla_context k;
  int batch = 4, bad = 0;
  bool on = true;
  OK(odla_CreateContext(&k));
  OK(odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, (odla_item_value)&batch));
  OK(odla_SetContextItem(k, ODLA_AGGREGATE_OPS, (odla_item_value)&on));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)no_callback));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&batch));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, NULL));
  INVALID(odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, (odla_item_value)&bad));
  bad = -4;
  INVALID(odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, (odla_item_value)&bad));
  INVALID(odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, NULL));
  REFUSES_HANDLES(odla_context,
                  odla_SetContextItem(handle, ODLA_RUN_BATCH_SIZE, (odla_item_value)&batch));
  OK(odla_DestroyContext(k));
}

CASE(items_keep_bound_types) {
  odla_computation c = small_computation();
  odla_context k;
  bool on = true;
  const float in[3] = {0.1f, 1000.3f, 2}, wanted[3] = {1.1f, 1002.5f, 5};
  float out[3];
  OK(odla_SetComputationItem(c, ODLA_FP16_MODE, (odla_item_value)&on));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  check_near(__FILE__, __LINE__, out, wanted, 3, 0.3);
  CHECK(out[0] != 1.1f); /* computed in FLOAT16 */
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(batches_per_step) {
  odla_computation c = small_computation();
  odla_context k;
  int number = 2;
  const float in[6] = {0, 1, 2, -3, 4, 5}, wanted[6] = {1, 3, 5, 0, 6, 8};
  float out[6];
  OK(odla_SetComputationItem(c, ODLA_BATCHES_PER_STEP, (odla_item_value)&number));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, wanted, 6);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

/* y = x * 2 for x [-1, 2], with a batch from 1 to 16. */
static odla_computation open_computation(odla_value* x, odla_value* y) {
  odla_computation c;
  const float two = 2;
  OK(odla_CreateComputation(&c));
  *x = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(2, -1, 2)), ID("x"));
  *y = odla_Mul(*x, odla_CreateConstant(type_of(ODLA_FLOAT32, shape_of(0)), &two, ID("two")),
                ID("y"));
  OK(odla_SetValueAsOutput(*y));
  return c;
}

CASE(dynamic_batch) {
  odla_value x, y;
  odla_computation c = open_computation(&x, &y);
  odla_context k;
  bool on = true;
  int least = 1, most = 16, usual = 4, batch, i;
  float in[32], out[32];
  odla_value_shape shape;
  OK(odla_SetComputationItem(c, ODLA_DYNAMIC_BATCH, (odla_item_value)&on));
  OK(odla_SetComputationItem(c, ODLA_MIN_BATCH_SIZE, (odla_item_value)&least));
  OK(odla_SetComputationItem(c, ODLA_MAX_BATCH_SIZE, (odla_item_value)&most));
  OK(odla_SetComputationItem(c, ODLA_OPT_BATCH_SIZE, (odla_item_value)&usual));
  OK(odla_CreateContext(&k));
  for (batch = 1; batch <= 16; ++batch) {
    for (i = 0; i < 32; ++i) in[i] = (float)(i * batch), out[i] = -1;
    OK(odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, (odla_item_value)&batch));
    OK(odla_BindToArgumentById(ID("x"), in, k));
    OK(odla_BindToOutputById(ID("y"), out, k));
    OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
    for (i = 0; i < 32; ++i) CHECK(out[i] == (i < 2 * batch ? 2 * in[i] : -1));
    OK(odla_GetRuntimeShape(k, y, &shape));
    CHECK(shape.size == 2 && shape.dims[0] == batch && shape.dims[1] == 2);
  }
  batch = 17;
  OK(odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, (odla_item_value)&batch));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  SAYS("a batch of 17");
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(runtime_shapes) {
  odla_value x, y;
  odla_computation c = open_computation(&x, &y);
  odla_context k;
  float in[6] = {1, 2, 3, 4, 5, 6}, out[6] = {0}, wanted[6] = {2, 4, 6, 8, 10, 12};
  odla_value_shape shape;
  odla_value_type type;
  odla_uint32 count = 9;
  OK(odla_SetValueShapeInfo(x, ODLA_MIN_SHAPE, shape_of(2, 1, 2)));
  OK(odla_SetValueShapeInfo(x, ODLA_MAX_SHAPE, shape_of(2, 5, 2)));
  OK(odla_SetValueShapeInfo(x, ODLA_OPT_SHAPE, shape_of(2, 2, 2)));
  OK(odla_CreateContext(&k));
  OK(odla_SetRuntimeShape(k, x, shape_of(2, 3, 2)));
  OK(odla_GetRuntimeShape(k, x, &shape));
  CHECK(shape.size == 2 && shape.dims[0] == 3);
  OK(odla_GetRuntimeShape(k, y, &shape)); /* before the run */
  CHECK(shape.size == 2 && shape.dims[0] == 3 && shape.dims[1] == 2);
  OK(odla_GetRuntimeValueType(k, y, &type));
  CHECK(type.element_type == ODLA_FLOAT32 && type.shape.dims[0] == 3);
  OK(odla_GetRuntimeNumOfOutputs(k, &count));
  CHECK(count == 0);
  OK(odla_BindToArgument(x, in, k));
  OK(odla_BindToOutput(y, out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, wanted, 6);
  OK(odla_GetRuntimeNumOfOutputs(k, &count));
  CHECK(count == 1);
  OK(odla_SetRuntimeValueType(k, x, type_of(ODLA_FLOAT32, shape_of(2, 1, 2))));
  out[2] = 77;
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(out[1] == 4 && out[2] == 77);
  OK(odla_GetRuntimeShape(k, y, &shape));
  CHECK(shape.dims[0] == 1);

  STATUS(ODLA_UNSUPPORTED_DATATYPE,
         odla_SetRuntimeValueType(k, x, type_of(ODLA_INT32, shape_of(2, 1, 2))));
  INVALID(odla_SetRuntimeShape(k, y, shape_of(2, 1, 2)));
  SAYS("is no argument");
  INVALID(odla_SetRuntimeShape(k, x, shape_of(1, 2)));
  INVALID(odla_SetRuntimeShape(k, x, shape_of(2, -1, 2)));
  shape = shape_of(2, 1, 2);
  shape.size = 11;
  INVALID(odla_SetRuntimeShape(k, x, shape));
  SAYS("size 11");
  shape.size = -5;
  INVALID(odla_SetRuntimeShape(k, x, shape));
  INVALID(odla_SetRuntimeValueType(k, x, type_of(ODLA_FLOAT32, shape)));
  INVALID(odla_SetValueShapeInfo(x, ODLA_MIN_SHAPE, shape));
  OK(odla_SetRuntimeShape(k, x, shape_of(2, 6, 2))); /* above the largest */
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  INVALID(odla_SetValueShapeInfo(y, ODLA_MIN_SHAPE, shape_of(2, 1, 2)));
  INVALID(odla_SetValueShapeInfo(x, ODLA_MIN_SHAPE, shape_of(2, 1, 3)));
  STATUS(ODLA_FAILURE, odla_SetValueShapeInfo(x, ODLA_DYNAMIC_BATCH, shape_of(2, 1, 2)));
  INVALID(odla_GetRuntimeShape(k, x, NULL));
  INVALID(odla_GetRuntimeValueType(k, x, NULL));
  INVALID(odla_GetRuntimeNumOfOutputs(k, NULL));
  REFUSES_HANDLES(odla_context, odla_SetRuntimeShape(handle, x, shape_of(2, 1, 2)));
  REFUSES_HANDLES(odla_context, odla_GetRuntimeShape(handle, x, &shape));
  REFUSES_HANDLES(odla_context, odla_SetRuntimeValueType(
      handle, x, type_of(ODLA_FLOAT32, shape_of(2, 1, 2))));
  REFUSES_HANDLES(odla_context, odla_GetRuntimeValueType(handle, x, &type));
  REFUSES_HANDLES(odla_context, odla_GetRuntimeNumOfOutputs(handle, &count));
  REFUSES_HANDLES(odla_value, odla_SetRuntimeShape(k, handle, shape_of(2, 1, 2)));
  REFUSES_HANDLES(odla_value, odla_GetRuntimeShape(k, handle, &shape));
  REFUSES_HANDLES(odla_value, odla_GetRuntimeValueType(k, handle, &type));
  REFUSES_HANDLES(odla_value, odla_SetValueShapeInfo(handle, ODLA_MIN_SHAPE, shape_of(2, 1, 2)));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(open_shapes_without_a_size_are_refused) {
  odla_value x, y;
  odla_computation c = open_computation(&x, &y);
  odla_context k;
  float in[2] = {1, 2}, out[2];
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgument(x, in, k));
  OK(odla_BindToOutput(y, out, k));
  INVALID(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(input_value_info) {
  odla_computation c;
  odla_value n, f;
  int number = 3;
  OK(odla_CreateComputation(&c));
  n = odla_CreateArgument(type_of(ODLA_INT32, shape_of(1, 2)), ID("n"));
  f = odla_CreateArgument(floats(2), ID("f"));
  OK(odla_SetInputValueInfo(n, ODLA_MIN_VALUE, (odla_item_value)&number));
  OK(odla_SetInputValueInfo(n, ODLA_MAX_VALUE, (odla_item_value)&number));
  OK(odla_SetInputValueInfo(n, ODLA_OPT_VALUE, (odla_item_value)&number));
  STATUS(ODLA_UNSUPPORTED_DATATYPE,
         odla_SetInputValueInfo(f, ODLA_MIN_VALUE, (odla_item_value)&number));
  STATUS(ODLA_FAILURE, odla_SetInputValueInfo(n, ODLA_MIN_SHAPE, (odla_item_value)&number));
  INVALID(odla_SetInputValueInfo(n, ODLA_MIN_VALUE, NULL));
  INVALID(odla_SetInputValueInfo(odla_Relu(f, NULL), ODLA_MIN_VALUE, (odla_item_value)&number));
  REFUSES_HANDLES(odla_value,
                  odla_SetInputValueInfo(handle, ODLA_MIN_VALUE, (odla_item_value)&number));
  OK(odla_DestroyComputation(c));
}

/* Executables. */

static odla_resource_location at(odla_resource_location_type kind, const void* where, size_t size) {
  odla_resource_location location;
  location.location_type = kind;
  location.location = where;
  location.size = size;
  return location;
}

CASE(executable_is_compiled_stored_loaded_and_launched) {
  odla_computation c = small_computation();
  odla_executable e, same, loaded;
  odla_context k;
  odla_value x, y;
  odla_uint32 count;
  odla_size_t size;
  char *memory, uri[600], folder[500], small[8] = "1234567";
  const float in[3] = {1, -5, 0}, wanted[3] = {2, 0, 3};
  float out[3] = {0};
  OK(odla_CompileComputation(c, NULL, &e));
  OK(odla_CompileComputation(c, NULL, &same));
  CHECK(e == same);
  OK(odla_GetNumOfArgsFromExecutable(e, &count));
  CHECK(count == 1);
  OK(odla_GetNumOfOutputsFromExecutable(e, &count));
  CHECK(count == 1);
  OK(odla_CreateContext(&k));
  OK(odla_GetArgFromExecutableByIdx(e, 0, &x));
  OK(odla_GetOutputFromExecutableByIdx(e, 0, &y));
  OK(odla_BindToArgument(x, in, k));
  OK(odla_BindToOutput(y, out, k));
  OK(odla_LaunchExecutable(e, k));
  NEAR(out, wanted, 3);
  /* A path, a URI, memory. */
  OK(odla_StoreExecutable(at(ODLA_LOCATION_PATH, "small.exe", 0), e));
  CHECK(getcwd(folder, sizeof folder) != NULL);
  sprintf(uri, "file://%s/uri.exe", folder);
  OK(odla_StoreExecutable(at(ODLA_LOCATION_URI, uri, 0), e));
  size = odla_ipu_StoredSize(e);
  CHECK(size > 100);
  STATUS(ODLA_MEM_ERROR, odla_StoreExecutable(at(ODLA_LOCATION_MEMORY, small, 7), e));
  SAYS("odla_ipu_StoredSize");
  CHECK(!strcmp(small, "1234567"));
  memory = (char*)malloc(size);
  OK(odla_StoreExecutable(at(ODLA_LOCATION_MEMORY, memory, size), e));
  OK(odla_DestroyComputation(c));
  INVALID(odla_LaunchExecutable(e, k));
  OK(odla_DestroyContext(k));
  {
    odla_resource_location places[3];
    int i;
    places[0] = at(ODLA_LOCATION_PATH, "small.exe", 0);
    places[1] = at(ODLA_LOCATION_URI, uri, 0);
    places[2] = at(ODLA_LOCATION_MEMORY, memory, size);
    for (i = 0; i < 3; ++i) {
      loaded = NULL;
      OK(odla_LoadExecutable(places[i], NULL, &loaded));
      OK(odla_CreateContext(&k));
      memset(out, 0, sizeof out);
      OK(odla_BindToArgumentById(ID("x"), in, k)); /* its program is current */
      OK(odla_BindToOutputById(ID("y"), out, k));
      OK(odla_LaunchExecutable(loaded, k));
      NEAR(out, wanted, 3);
      NO_VALUE(odla_CreateArgument(floats(1), NULL), "loaded executable");
      OK(odla_DestroyContext(k));
      OK(odla_DestroyExecutable(loaded));
      INVALID(odla_DestroyExecutable(loaded));
      INVALID(odla_LaunchExecutable(loaded, k));
    }
  }
  /* What is damaged or no executable at all. */
  memory[size / 2] ^= 0x55;
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_MEMORY, memory, size), NULL, &loaded));
  memory[size / 2] ^= 0x55;
  CHECK(loaded == NULL);
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_MEMORY, memory, size / 2), NULL, &loaded));
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_MEMORY, memory, 3), NULL, &loaded));
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_MEMORY, memory, 0), NULL, &loaded));
  memset(memory, 0, size);
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_MEMORY, memory, size), NULL, &loaded));
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_PATH, "/proc/self/exe", 0), NULL, &loaded));
  STATUS(ODLA_FILE_NOT_EXIST,
         odla_LoadExecutable(at(ODLA_LOCATION_PATH, "no/such.exe", 0), NULL, &loaded));
  STATUS(ODLA_FILE_NOT_EXIST,
         odla_LoadExecutable(at(ODLA_LOCATION_URI, "file:///no/such.exe", 0), NULL, &loaded));
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_URI, "http://host/such.exe", 0), NULL, &loaded));
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_PATH, NULL, 0), NULL, &loaded));
  INVALID(odla_LoadExecutable(at((odla_resource_location_type)3, "x", 0), NULL, &loaded));
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_PATH, "small.exe", 0), NULL, NULL));
  INVALID(odla_LoadExecutable(at(ODLA_LOCATION_PATH, "small.exe", 0), (odla_device)&something,
                              &loaded));
  free(memory);
}

CASE(misuse_of_executables) {
  odla_computation c = small_computation();
  odla_executable e;
  odla_context k;
  odla_value value;
  odla_uint32 count;
  OK(odla_CreateContext(&k));
  INVALID(odla_CompileComputation(c, NULL, NULL));
  INVALID(odla_CompileComputation(c, (odla_device)c, &e));
  REFUSES_HANDLES(odla_computation, odla_CompileComputation(handle, NULL, &e));
  OK(odla_CompileComputation(c, NULL, &e));
  INVALID(odla_LaunchExecutable(e, k)); /* nothing is bound */
  INVALID(odla_GetArgFromExecutableByIdx(e, 1, &value));
  CHECK(value == NULL);
  INVALID(odla_GetOutputFromExecutableByIdx(e, 1, &value));
  CHECK(value == NULL);
  INVALID(odla_GetNumOfArgsFromExecutable(e, NULL));
  INVALID(odla_GetNumOfOutputsFromExecutable(e, NULL));
  INVALID(odla_GetArgFromExecutableByIdx(e, 0, NULL));
  INVALID(odla_GetOutputFromExecutableByIdx(e, 0, NULL));
  REFUSES_HANDLES(odla_executable, odla_GetNumOfArgsFromExecutable(handle, &count));
  REFUSES_HANDLES(odla_executable, odla_GetNumOfOutputsFromExecutable(handle, &count));
  REFUSES_HANDLES(odla_executable, odla_GetArgFromExecutableByIdx(handle, 0, &value));
  REFUSES_HANDLES(odla_executable, odla_GetOutputFromExecutableByIdx(handle, 0, &value));
  REFUSES_HANDLES(odla_executable, odla_LaunchExecutable(handle, k));
  REFUSES_HANDLES(odla_context, odla_LaunchExecutable(e, handle));
  REFUSES_HANDLES(odla_executable, odla_DestroyExecutable(handle));
  REFUSES_HANDLES(odla_executable, odla_StoreExecutable(at(ODLA_LOCATION_PATH, "x", 0), handle));
  STATUS(ODLA_FILE_NOT_EXIST, odla_StoreExecutable(at(ODLA_LOCATION_PATH, "no/folder/x", 0), e));
  INVALID(odla_StoreExecutable(at(ODLA_LOCATION_PATH, NULL, 0), e));
  INVALID(odla_StoreExecutable(at((odla_resource_location_type)-1, "x", 0), e));
  CHECK(odla_ipu_StoredSize(NULL) == 0);
  CHECK(odla_ipu_StoredSize(&something) == 0);
  CHECK(odla_ipu_StoredSize(k) == 0);
  OK(odla_DestroyExecutable(e));
  INVALID(odla_DestroyExecutable(e));
  CHECK(odla_ipu_StoredSize(e) == 0);
  CHECK(small_runs(c, k)); /* the computation lives on */
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
  INVALID(odla_CompileComputation(c, NULL, &e));
}

CASE(computation_is_stored_and_loaded) {
  odla_computation c = small_computation(), other = NULL;
  odla_context k;
  odla_size_t size = odla_ipu_StoredSize(c);
  char* memory = (char*)malloc(size);
  odla_value x;
  OK(odla_CreateContext(&k));
  OK(odla_StoreComputation(at(ODLA_LOCATION_PATH, "small.odla", 0), c));
  STATUS(ODLA_MEM_ERROR, odla_StoreComputation(at(ODLA_LOCATION_MEMORY, memory, size - 1), c));
  OK(odla_StoreComputation(at(ODLA_LOCATION_MEMORY, memory, size), c));
  OK(odla_DestroyComputation(c));
  INVALID(odla_StoreComputation(at(ODLA_LOCATION_PATH, "small.odla", 0), c));
  OK(odla_LoadComputation(at(ODLA_LOCATION_PATH, "small.odla", 0), &other));
  CHECK(small_runs(other, k));
  OK(odla_DestroyComputation(other));
  OK(odla_LoadComputation(at(ODLA_LOCATION_MEMORY, memory, size), &other));
  CHECK(small_runs(other, k));
  /* It is a graph: more can be added. */
  OK(odla_GetArgFromComputationByIdx(other, 0, &x));
  OK(odla_SetValueAsOutput(odla_Neg(x, ID("z"))));
  CHECK(small_runs(other, k));
  OK(odla_DestroyComputation(other));
  INVALID(odla_LoadComputation(at(ODLA_LOCATION_MEMORY, memory, size / 2), &other));
  CHECK(other == NULL);
  memset(memory, 7, size);
  CHECK(odla_LoadComputation(at(ODLA_LOCATION_MEMORY, memory, size), &other) != ODLA_SUCCESS);
  INVALID(odla_LoadComputation(at(ODLA_LOCATION_PATH, "small.odla", 0), NULL));
  INVALID(odla_LoadComputation(at(ODLA_LOCATION_PATH, NULL, 0), &other));
  STATUS(ODLA_FILE_NOT_EXIST, odla_LoadComputation(at(ODLA_LOCATION_PATH, "none", 0), &other));
  REFUSES_HANDLES(odla_computation,
                  odla_StoreComputation(at(ODLA_LOCATION_PATH, "small.odla", 0), handle));
  OK(odla_DestroyContext(k));
  free(memory);
}

/* Constants apart. */

CASE(constants_arrays) {
  odla_computation c = small_computation();
  odla_constants_array a, b = NULL;
  odla_executable e;
  odla_context k;
  const float other[3] = {10, 20, 30}, in[3] = {0, 0, 0};
  float out[3] = {0};
  odla_value_type bad = floats(3);
  OK(odla_CreateConstantsArray(&a));
  OK(odla_ipu_SetConstant(a, "c", floats(3), other));
  OK(odla_StoreConstantsArray("constants.npz", a));
  OK(odla_LoadConstantsArray("constants.npz", &b));
  OK(odla_DestroyConstantsArray(a));
  INVALID(odla_DestroyConstantsArray(a));
  OK(odla_CompileComputation(c, NULL, &e));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_AsyncLaunchExecutable(e, b, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyComputation(c)); /* waits */
  NEAR(out, other, 3);
  STATUS(ODLA_FILE_NOT_EXIST, odla_LoadConstantsArray("none.npz", &a));
  CHECK(a == NULL);
  INVALID(odla_LoadConstantsArray("/proc/self/exe", &a));
  INVALID(odla_LoadConstantsArray(NULL, &a));
  INVALID(odla_LoadConstantsArray("constants.npz", NULL));
  INVALID(odla_CreateConstantsArray(NULL));
  INVALID(odla_StoreConstantsArray(NULL, b));
  STATUS(ODLA_FILE_NOT_EXIST, odla_StoreConstantsArray("no/folder/x.npz", b));
  INVALID(odla_ipu_SetConstant(b, NULL, floats(3), other));
  INVALID(odla_ipu_SetConstant(b, "c", floats(3), NULL));
  INVALID(odla_ipu_SetConstant(b, "c", floats(-1), other));
  bad.shape.size = 11;
  INVALID(odla_ipu_SetConstant(b, "c", bad, other));
  bad.element_type = (odla_element_type)77;
  STATUS(ODLA_UNSUPPORTED_DATATYPE, odla_ipu_SetConstant(b, "c", bad, other));
  REFUSES_HANDLES(odla_constants_array, odla_ipu_SetConstant(handle, "c", floats(3), other));
  REFUSES_HANDLES(odla_constants_array, odla_StoreConstantsArray("x.npz", handle));
  REFUSES_HANDLES(odla_constants_array, odla_DestroyConstantsArray(handle));
  OK(odla_DestroyConstantsArray(b));
  OK(odla_DestroyContext(k));
}

/* Runs in the background. */

CASE(asynchronous_runs_call_back_once_each) {
  enum { kContexts = 8 };
  odla_computation c = small_computation();
  odla_context k[kContexts];
  struct waited w = WAITED;
  float in[kContexts][3], out[kContexts][3];
  int i, j;
  for (i = 0; i < kContexts; ++i) {
    for (j = 0; j < 3; ++j) in[i][j] = (float)i, out[i][j] = -1;
    OK(odla_CreateContext(&k[i]));
    OK(odla_SetContextItem(k[i], ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)called_back));
    OK(odla_SetContextItem(k[i], ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&w));
    OK(odla_BindToArgumentById(ID("x"), in[i], k[i]));
    OK(odla_BindToOutputById(ID("y"), out[i], k[i]));
    OK(odla_AsyncExecuteComputation(c, k[i], ODLA_COMPUTE_INFERENCE, NULL));
  }
  wait_for(&w, kContexts);
  CHECK(w.last == ODLA_SUCCESS);
  for (i = 0; i < kContexts; ++i)
    for (j = 0; j < 3; ++j) CHECK(out[i][j] == (float)(i + j + 1));
  for (i = 0; i < kContexts; ++i) OK(odla_DestroyContext(k[i]));
  OK(odla_DestroyComputation(c));
  CHECK(w.calls == kContexts);
}

CASE(asynchronous_failures_call_back_too) {
  odla_computation c = small_computation();
  odla_context k;
  odla_executable e;
  struct waited w = WAITED;
  OK(odla_CreateContext(&k));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)called_back));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&w));
  INVALID(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(w.calls == 1 && w.last == ODLA_INVALID_PARAM);
  INVALID(odla_AsyncExecuteComputation(NULL, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(w.calls == 2);
  OK(odla_CompileComputation(c, NULL, &e));
  INVALID(odla_AsyncLaunchExecutable(e, NULL, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(w.calls == 3);
  INVALID(odla_AsyncLaunchExecutable(NULL, NULL, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(w.calls == 4);
  INVALID(odla_AsyncLaunchExecutable(e, (odla_constants_array)c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(w.calls == 5);
  REFUSES_HANDLES(odla_context,
                  odla_AsyncExecuteComputation(c, handle, ODLA_COMPUTE_INFERENCE, NULL));
  REFUSES_HANDLES(odla_context,
                  odla_AsyncLaunchExecutable(e, NULL, handle, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(what_is_in_flight_can_be_destroyed) {
  struct waited w = WAITED;
  const float in[3] = {1, 1, 1};
  float out[3];
  int i;
  for (i = 0; i < 10; ++i) {
    odla_computation c = small_computation();
    odla_context k;
    odla_value x;
    OK(odla_CreateContext(&k));
    OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)called_back));
    OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&w));
    OK(odla_BindToArgumentById(ID("x"), in, k));
    OK(odla_BindToOutputById(ID("y"), out, k));
    OK(odla_GetArgFromComputationByIdx(c, 0, &x));
    OK(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
    OK(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
    if (i % 2) OK(odla_DestroyContext(k));
    OK(odla_DestroyComputation(c));
    INVALID(odla_BindToArgument(x, in, k));
    if (i % 2 == 0) OK(odla_DestroyContext(k));
  }
  wait_for(&w, 20);
  CHECK(w.last == ODLA_SUCCESS);
}

struct destroyer {
  odla_computation computation;
  odla_context context;
  struct waited waited;
};

static int destroys(void* arg, odla_status status) {
  struct destroyer* d = (struct destroyer*)arg;
  odla_DestroyContext(d->context);
  odla_DestroyComputation(d->computation);
  return called_back(&d->waited, status);
}

CASE(a_callback_may_destroy_all) {
  struct destroyer d = {NULL, NULL, WAITED};
  const float in[3] = {1, 1, 1};
  float out[3];
  d.computation = small_computation();
  OK(odla_CreateContext(&d.context));
  OK(odla_SetContextItem(d.context, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)destroys));
  OK(odla_SetContextItem(d.context, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&d));
  OK(odla_BindToArgumentById(ID("x"), in, d.context));
  OK(odla_BindToOutputById(ID("y"), out, d.context));
  OK(odla_AsyncExecuteComputation(d.computation, d.context, ODLA_COMPUTE_INFERENCE, NULL));
  wait_for(&d.waited, 1);
  CHECK(d.waited.last == ODLA_SUCCESS && out[2] == 4);
  INVALID(odla_DestroyComputation(d.computation));
}

CASE(values_are_bound_in_place_of_memory) {
  odla_computation c = small_computation();
  odla_context k;
  odla_value from, to, x;
  const float in[3] = {1, -5, 0}, wanted[3] = {2, 0, 3};
  float out[3];
  OK(odla_CreateContext(&k));
  from = odla_CreateValue(floats(3), ID("from"));
  to = odla_CreateValue(floats(3), ID("to"));
  OK(odla_SetValueData(from, in));
  OK(odla_BindValueToArgumentById(ID("x"), from, k));
  OK(odla_BindValueToOutputById(ID("y"), to, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_GetValueData(to, out, NULL));
  NEAR(out, wanted, 3);
  OK(odla_GetArgFromComputationByIdx(c, 0, &x));
  INVALID(odla_BindValueToOutputById(ID("y"), x, k));
  INVALID(odla_BindValueToArgumentById(ID("none"), from, k));
  INVALID(odla_BindValueToOutputById(ID("none"), to, k));
  INVALID(odla_BindValueToArgumentById(NULL, from, k));
  INVALID(odla_BindValueToOutputById(NULL, to, k));
  REFUSES_HANDLES(odla_value, odla_BindValueToArgumentById(ID("x"), handle, k));
  REFUSES_HANDLES(odla_value, odla_BindValueToOutputById(ID("y"), handle, k));
  REFUSES_HANDLES(odla_context, odla_BindValueToArgumentById(ID("x"), from, handle));
  REFUSES_HANDLES(odla_context, odla_BindValueToOutputById(ID("y"), to, handle));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(values_of_the_wrong_size_are_not_bound) {
  odla_computation c = small_computation();
  odla_context k;
  odla_value small = odla_CreateValue(floats(1), ID("small")), other;
  const float in[3] = {1, 2, 3};
  OK(odla_CreateContext(&k));
  other = odla_CreateValue(type_of(ODLA_FLOAT64, shape_of(1, 3)), ID("double"));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  CHECK(odla_BindValueToOutputById(ID("y"), small, k) != ODLA_SUCCESS ||
        odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL) != ODLA_SUCCESS);
  OK(odla_DestroyContext(k));
  OK(odla_CreateContext(&k));
  CHECK(odla_BindValueToArgumentById(ID("x"), small, k) != ODLA_SUCCESS ||
        odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL) != ODLA_SUCCESS);
  OK(odla_DestroyContext(k));
  OK(odla_CreateContext(&k));
  CHECK(odla_BindValueToArgumentById(ID("x"), other, k) != ODLA_SUCCESS ||
        odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL) != ODLA_SUCCESS);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(value_data_of_a_run) {
  odla_computation c = small_computation();
  odla_context k, fresh;
  odla_value x, y;
  const float in[3] = {1, -5, 0}, wanted[3] = {2, 0, 3};
  float out[3] = {0}, bound[3];
  OK(odla_CreateContext(&k));
  OK(odla_CreateContext(&fresh));
  OK(odla_GetArgFromComputationByIdx(c, 0, &x));
  OK(odla_GetOutputFromComputationByIdx(c, 0, &y));
  INVALID(odla_GetValueData(y, out, k)); /* before a run */
  INVALID(odla_GetValueData(y, out, NULL));
  OK(odla_BindToArgument(x, in, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_GetValueData(y, out, k));
  NEAR(out, wanted, 3);
  INVALID(odla_GetValueData(y, NULL, k));
  INVALID(odla_GetValueData(y, out, fresh));
  INVALID(odla_GetValueData(x, out, k));
  REFUSES_HANDLES(odla_value, odla_GetValueData(handle, out, k));
  INVALID(odla_GetValueData(y, out, (odla_context)&something));
  OK(odla_BindToOutput(y, bound, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  memset(out, 0, sizeof out);
  OK(odla_DestroyContext(fresh));
  OK(odla_DestroyContext(k));
  INVALID(odla_GetValueData(y, out, k));
  OK(odla_DestroyComputation(c));
}

CASE(last_error_is_of_the_thread) {
  INVALID(odla_DestroyContext(NULL));
  SAYS("odla_DestroyContext: context is NULL; accepted: what odla_CreateContext gave");
}

/* What the runs that are queued were asked for counts; a graph that grows meanwhile is an error. */
CASE(outputs_added_while_runs_are_queued) {
  odla_computation c = small_computation();
  odla_context k;
  odla_value x;
  const float in[3] = {1, 1, 1};
  float out[3];
  int i;
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_GetArgFromComputationByIdx(c, 0, &x));
  for (i = 0; i < 20; ++i) {
    OK(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
    OK(odla_SetValueAsOutput(odla_Neg(x, NULL)));
  }
  OK(odla_DestroyComputation(c));
  OK(odla_DestroyContext(k));
}

CASE(outputs_added_after_a_run) {
  odla_computation c = small_computation();
  odla_context k;
  odla_value x, added;
  odla_value_shape shape;
  float out[3];
  OK(odla_CreateContext(&k));
  CHECK(small_runs(c, k));
  OK(odla_GetArgFromComputationByIdx(c, 0, &x));
  added = odla_Neg(x, ID("added"));
  OK(odla_SetValueAsOutput(added));
  OK(odla_GetRuntimeShape(k, added, &shape));
  CHECK(shape.size == 1 && shape.dims[0] == 3);
  INVALID(odla_GetValueData(added, out, k));
  SAYS("has not run since");
  CHECK(small_runs(c, k));
  OK(odla_GetValueData(added, out, k));
  CHECK(out[2] == -1);
  OK(odla_DestroyComputation(c));
  OK(odla_DestroyContext(k));
}
