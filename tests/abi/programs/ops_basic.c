/* ops/odla_ops_basic.h, and the former spelling of BatchMatMul. */
#include "check.h"

CASE(arguments) {
  odla_computation c;
  odla_value_type bad = floats(2);
  OK(odla_CreateComputation(&c));
  CHECK(odla_CreateArgument(floats(2), ID("x")) != NULL);
  CHECK(odla_CreateArgument(floats(2), ID("x")) != NULL); /* names need not differ */
  CHECK(odla_CreateArgument(floats(2), NULL) != NULL);
  CHECK(odla_CreateArgument(floats(2), ID("")) != NULL);
  CHECK(odla_CreateArgument(floats(0), ID("none")) != NULL);
  bad.shape.size = 11;
  NO_VALUE(odla_CreateArgument(bad, ID("x")), "size 11");
  bad.shape.size = -5;
  NO_VALUE(odla_CreateArgument(bad, ID("x")), "size -5");
  bad.shape.size = -1;
  NO_VALUE(odla_CreateArgument(bad, ID("x")), "size -1");
  NO_VALUE(odla_CreateArgument(floats(-2), ID("x")), "-2");
  NO_VALUE(odla_CreateArgument(type_of((odla_element_type)22, shape_of(0)), ID("x")), "22");
  NO_VALUE(odla_CreateArgument(type_of((odla_element_type)-1, shape_of(0)), ID("x")), "-1");
  NO_VALUE(odla_CreateArgument(type_of(ODLA_STRING, shape_of(0)), ID("x")), "STRING");
  bad = floats(2);
  bad.shape.size = 10;
  for (int axis = 0; axis < 10; ++axis) bad.shape.dims[axis] = 0x7fffffffffffffff;
  odla_CreateArgument(bad, ID("huge"));
  OK(odla_DestroyComputation(c));
  NO_VALUE(odla_CreateArgument(floats(2), ID("x")), "odla_CreateComputation");
}

CASE(constants) {
  odla_computation c;
  odla_value_type bad;
  float memory[2] = {1, 2};
  OK(odla_CreateComputation(&c));
  CHECK(odla_CreateConstant(floats(2), memory, NULL) != NULL);
  /* Without elements the address is not read. */
  CHECK(odla_CreateConstant(type_of(ODLA_FLOAT32, shape_of(2, 1, 0)), (void*)0x11, NULL) != NULL);
  CHECK(odla_CreateConstant(floats(0), NULL, NULL) != NULL);
  NO_VALUE(odla_CreateConstant(floats(2), NULL, ID("x")), "data_ptr is NULL");
  NO_VALUE(odla_CreateConstant(floats(-1), memory, ID("x")), "open");
  bad = type_of(ODLA_FLOAT32, shape_of(3, 0x7fffffff, 0x7fffffff, 0x7fffffff));
  NO_VALUE(odla_CreateConstant(bad, memory, ID("x")), "too large");
  bad.shape.size = 11;
  NO_VALUE(odla_CreateConstant(bad, memory, ID("x")), "size 11");
  bad.shape.size = -5;
  NO_VALUE(odla_CreateConstant(bad, memory, ID("x")), "size -5");
  NO_VALUE(odla_CreateConstant(type_of(ODLA_STRING, shape_of(0)), memory, ID("x")), "STRING");
  NO_VALUE(odla_CreateConstant(type_of((odla_element_type)99, shape_of(0)), memory, ID("x")), "99");
  OK(odla_DestroyComputation(c));
}

CASE(values_and_variables) {
  odla_value v, u;
  odla_computation c;
  odla_context k;
  odla_value_type bad = floats(2);
  const float two[2] = {2, 3}, x[2] = {10, 20}, wanted[2] = {12, 23}, zero[2] = {10, 20};
  float y[2] = {0};
  NO_VALUE(odla_CreateValue(floats(-1), ID("v")), "known sizes");
  bad.shape.size = 11;
  NO_VALUE(odla_CreateValue(bad, ID("v")), "size 11");
  NO_VALUE(odla_CreateVariable(bad, ID("v")), "size 11");
  NO_VALUE(odla_CreateValue(type_of(ODLA_STRING, shape_of(0)), ID("v")), "STRING");
  OK(odla_CreateComputation(&c));
  u = odla_CreateArgument(floats(2), ID("x"));
  v = odla_CreateVariable(floats(2), ID("v"));
  CHECK(v != NULL);
  NO_VALUE(odla_CreateVariable(floats(-1), ID("w")), "odla_CreateVariable");
  OK(odla_SetValueAsOutput(odla_Add(u, v, ID("y"))));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgument(u, x, k));
  OK(odla_BindToOutputById(ID("y"), y, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(y, zero, 2);
  OK(odla_SetValueData(v, two));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(y, wanted, 2);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(clones) {
  odla_computation c;
  odla_value x, twin;
  odla_value_id id;
  const float one[2] = {1, 2};
  float out[2];
  OK(odla_CreateComputation(&c));
  x = odla_CreateConstant(floats(2), one, ID("x"));
  twin = odla_CloneValue(x, ID("twin"));
  CHECK(twin != NULL && twin != x);
  OK(odla_GetValueId(twin, &id));
  CHECK(!strcmp((const char*)id, "twin"));
  OK(odla_GetValueData(twin, out, NULL));
  NEAR(out, one, 2);
  CHECK(odla_CloneValueById(ID("twin"), NULL) != NULL);
  NO_VALUE(odla_CloneValueById(ID("none"), NULL), "none");
  NO_VALUE(odla_CloneValueById(NULL, NULL), "NULL");
  NO_VALUE(odla_CloneValue((odla_value)&something, NULL), "src_value");
  OK(odla_DestroyComputation(c));
  NO_VALUE(odla_CloneValue(x, NULL), "destroyed");
}

CASE(the_former_spelling) {
  odla_computation c;
  odla_context k;
  odla_value a;
  const float in[4] = {1, 2, 3, 4}, wanted[4] = {7, 10, 15, 22};
  float out[4];
  OK(odla_CreateComputation(&c));
  a = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(2, 2, 2)), ID("a"));
  OK(odla_SetValueAsOutput(odla_BatchMatmul(a, 0, a, 0, shape_of(2, 2, 2), ID("y"))));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgument(a, in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, wanted, 4);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}
