/* ops/odla_ops_control_flow.h and ops/odla_ops_custom.h */
#include "check.h"

static float one_run(odla_computation c, const char* id, float x, int condition) {
  odla_context k;
  unsigned char flag = (unsigned char)condition;
  float y = -999;
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), &x, k));
  if (condition >= 0) OK(odla_BindToArgumentById(ID("flag"), &flag, k));
  OK(odla_BindToOutputById(ID(id), &y, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyContext(k));
  return y;
}

CASE(conditional) {
  odla_computation c;
  odla_value x, flag, inner;
  odla_values results;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(1), ID("x"));
  flag = odla_CreateArgument(type_of(ODLA_BOOL, shape_of(0)), ID("flag"));
  OK(odla_BeginIf(flag, ID("")));
  OK(odla_EnterBranchBody(1));
  OK(odla_SetValueAsOutput(odla_Add(x, x, ID("twice"))));
  OK(odla_EnterBranchBody(0));
  inner = odla_Neg(x, ID("neg"));
  OK(odla_SetValueAsOutput(inner));
  results = odla_EndIf(ids_of(1, "y"));
  CHECK(results.size == 1);
  OK(odla_SetValueAsOutput(results.values[0]));
  CHECK(one_run(c, "y", 3, 1) == 6);
  CHECK(one_run(c, "y", 3, 0) == -3);
  NO_VALUE(odla_Relu(inner, NULL), "odla_Relu"); /* what is in a branch stays there */
  OK(odla_DestroyComputation(c));
}

CASE(loop) {
  odla_computation c;
  odla_value x, trips, v, next;
  odla_values results;
  odla_loop_output_mode flags[2] = {ODLA_LOOP_FWD_AFTER, ODLA_LOOP_LAST_VALUE};
  const int64_t four = 4;
  float rows[4] = {0}, start = 1, last = 0;
  const float wanted[4] = {2, 4, 8, 16};
  odla_context k;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(1), ID("x"));
  trips = odla_CreateConstant(type_of(ODLA_INT64, shape_of(0)), &four, ID("four"));
  OK(odla_BeginLoop(trips, ID("loop")));
  v = odla_CreateLoopVariable(x, ID("v"));
  next = odla_Add(v, v, ID("next"));
  results = odla_EndLoop(NULL, values_of(1, next), flags, ids_of(2, "last", "rows"));
  CHECK(results.size == 2);
  OK(odla_SetValuesAsOutput(results));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), &start, k));
  OK(odla_BindToOutputById(ID("last"), &last, k));
  OK(odla_BindToOutputById(ID("rows"), rows, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(last == 16);
  NEAR(rows, wanted, 4);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(loop_with_a_condition) {
  odla_computation c;
  odla_value x, v, next, limit;
  odla_values results;
  odla_loop_output_mode flags[1] = {ODLA_LOOP_LAST_VALUE};
  const int64_t many = 100;
  const float fifty = 50;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(1), ID("x"));
  limit = odla_CreateConstant(floats(1), &fifty, ID("limit"));
  OK(odla_BeginLoop(odla_CreateConstant(type_of(ODLA_INT64, shape_of(0)), &many, ID("many")), NULL));
  v = odla_CreateLoopVariable(x, NULL);
  next = odla_Add(v, v, NULL);
  results = odla_EndLoop(odla_Less(next, limit, NULL), values_of(1, next), flags, ids_of(1, "y"));
  CHECK(results.size == 1);
  OK(odla_SetValueAsOutput(results.values[0]));
  CHECK(one_run(c, "y", 1, -1) == 64);
  CHECK(one_run(c, "y", 30, -1) == 60);
  OK(odla_DestroyComputation(c));
}

CASE(wrong_order) {
  odla_computation c;
  odla_value x, flag;
  odla_loop_output_mode flags[1] = {ODLA_LOOP_LAST_VALUE};
  odla_value_ids ids;
  odla_values many;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(1), ID("x"));
  flag = odla_CreateArgument(type_of(ODLA_BOOL, shape_of(0)), ID("flag"));
  INVALID(odla_EnterBranchBody(1));
  SAYS("odla_BeginIf");
  CHECK(odla_EndIf(ids_of(1, "y")).size == 0);
  CHECK(odla_EndLoop(flag, values_of(1, x), flags, ids_of(1, "y")).size == 0);
  NO_VALUE(odla_CreateLoopVariable(x, NULL), "odla_BeginLoop");
  REFUSES_HANDLES(odla_value, odla_BeginIf(handle, NULL));
  REFUSES_HANDLES(odla_value, odla_BeginLoop(handle, NULL));
  CHECK(odla_BeginIf(x, NULL) != ODLA_SUCCESS); /* no BOOL */
  CHECK(odla_BeginLoop(x, NULL) != ODLA_SUCCESS);
  OK(odla_BeginIf(flag, ID("if")));
  INVALID(odla_EnterBranchBody(2));
  SAYS("true_branch is 2");
  CHECK(odla_EndLoop(flag, values_of(1, x), flags, ids_of(1, "y")).size == 0);
  NO_VALUE(odla_CreateLoopVariable(x, NULL), "odla_CreateLoopVariable");
  CHECK(odla_EndIf(ids_of(1, "y")).size == 0); /* no branches */
  OK(odla_EnterBranchBody(1));
  INVALID(odla_EnterBranchBody(1)); /* twice */
  memset(&ids, 0, sizeof ids);
  ids.size = 65;
  CHECK(odla_EndIf(ids).size == 0);
  ids.size = (odla_size_t)-1;
  CHECK(odla_EndIf(ids).size == 0);
  CHECK(odla_EndLoop(flag, values_of(0), flags, ids).size == 0);
  memset(&many, 0, sizeof many);
  many.size = 65;
  CHECK(odla_EndLoop(flag, many, flags, ids_of(0)).size == 0);
  CHECK(odla_EndLoop(flag, values_of(1, x), NULL, ids_of(0)).size == 0);
  /* An open scope: what is run then is an error, or the computation without it. */
  odla_SetValueAsOutput(x);
  OK(odla_DestroyComputation(c));
  INVALID(odla_BeginIf(flag, NULL));
  INVALID(odla_EnterBranchBody(1));
  INVALID(odla_BeginLoop(flag, NULL));
  CHECK(odla_EndIf(ids_of(0)).size == 0);
}

CASE(wrong_loops) {
  odla_computation c;
  odla_value x, v, trips;
  odla_loop_output_mode bad[1] = {(odla_loop_output_mode)9};
  odla_loop_output_mode flags[2] = {ODLA_LOOP_LAST_VALUE, ODLA_LOOP_LAST_VALUE};
  const int64_t three = 3;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(1), ID("x"));
  trips = odla_CreateConstant(type_of(ODLA_INT64, shape_of(0)), &three, ID("three"));
  OK(odla_BeginLoop(trips, NULL));
  v = odla_CreateLoopVariable(x, NULL);
  REFUSES_HANDLES(odla_value, odla_CreateLoopVariable(handle, NULL) ? ODLA_SUCCESS
                                                                    : ODLA_INVALID_PARAM);
  CHECK(odla_EndLoop(NULL, values_of(1, v), bad, ids_of(1, "y")).size == 0);
  CHECK(odla_EndLoop(NULL, values_of(2, v, v), flags, ids_of(1, "y")).size == 0);
  CHECK(odla_EndLoop(x, values_of(1, v), flags, ids_of(1, "y")).size == 0);
  CHECK(odla_EndLoop((odla_value)&something, values_of(1, v), flags, ids_of(1, "y")).size == 0);
  CHECK(odla_EndLoop(NULL, values_of(1, v), flags, ids_of(1, "y")).size == 1); /* still open */
  OK(odla_DestroyComputation(c));
}

CASE(custom_ops) {
  odla_computation c;
  odla_value x;
  odla_values results;
  float in[1] = {1}, out[1] = {0};
  odla_context k;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(1), ID("x"));
  results = odla_CustomOp(values_of(1, x), "custom_IpuGelu", "custom_IpuGelu", ids_of(1, "y"));
  CHECK(results.size == 1);
  OK(odla_SetValueAsOutput(results.values[0]));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(fabs(out[0] - 0.8412) < 1e-3);
  results = odla_CustomOp(values_of(1, x), "NoSuchOp", NULL, ids_of(1, "z"), 1, 2.0, "three");
  CHECK(results.size == 0);
  SAYS("NoSuchOp");
  CHECK(odla_CustomOp(values_of(1, x), NULL, NULL, ids_of(1, "z")).size == 0);
  CHECK(odla_CustomOp(values_of(0), "custom_IpuGelu", NULL, ids_of(1, "z")).size == 0);
  CHECK(odla_CustomOp(values_of(1, (odla_value)&something), "custom_IpuGelu", NULL, ids_of(0))
            .size == 0);
  CHECK(odla_CustomOp(values_of(1, x), "", NULL, ids_of(0)).size == 0);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

/* Of another computation than the current one, which goes. */
CASE(custom_op_on_values_of_another_computation) {
  odla_computation a, b;
  odla_value x;
  odla_values results;
  odla_value_type type;
  OK(odla_CreateComputation(&a));
  x = odla_CreateArgument(floats(1), ID("x"));
  OK(odla_CreateComputation(&b));
  results = odla_CustomOp(values_of(1, x), "custom_IpuGelu", NULL, ids_of(1, "y"));
  CHECK(results.size == 1);
  OK(odla_DestroyComputation(b));
  OK(odla_GetValueType(results.values[0], &type));
  OK(odla_SetValueAsOutput(results.values[0]));
  OK(odla_DestroyComputation(a));
  INVALID(odla_GetValueType(results.values[0], &type));
}

/* Nine variable arguments, doubles among them; the result is at index 1 though there is one id. */
CASE(detection_output) {
  odla_computation c;
  odla_value loc, conf, prior;
  odla_values results;
  odla_value_type type;
  OK(odla_CreateComputation(&c));
  loc = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(2, 1, 8)), ID("loc"));
  conf = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(2, 1, 6)), ID("conf"));
  prior = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(3, 1, 2, 8)), ID("prior"));
  results = odla_CustomOp(values_of(3, loc, conf, prior), "DetectionOutput", "detection",
                          ids_of(1, "detections"), 0, (double)0.01f, 5, 3, 1, 2, (double)0.45f, 10,
                          (double)1.0f);
  CHECK(results.size == 2);
  OK(odla_GetValueType(results.values[1], &type));
  CHECK(type.element_type == ODLA_FLOAT32 && type.shape.size >= 2);
  CHECK(type.shape.dims[type.shape.size - 1] == 7);
  OK(odla_DestroyComputation(c));
}
