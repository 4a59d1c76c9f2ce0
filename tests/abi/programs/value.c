/* odla_value.h: data, types, ids, outputs. */
#include "check.h"

CASE(data_of_interpreted_values) {
  const float in[3] = {-1, 2, 3}, wanted[3] = {0, 2, 3};
  float out[3];
  void* raw = NULL;
  odla_value x = odla_CreateValue(floats(3), ID("x")), y;
  CHECK(x != NULL);
  OK(odla_SetValueData(x, in));
  y = odla_Relu(x, ID("y"));
  OK(odla_GetValueData(y, out, NULL));
  NEAR(out, wanted, 3);
  OK(odla_GetRawDataPtr(y, &raw));
  NEAR((const float*)raw, wanted, 3);
  OK(odla_GetValueDataById(ID("y"), out));
  NEAR(out, wanted, 3);
  OK(odla_SetValueDataById(ID("x"), wanted));
  OK(odla_ReleaseValue(y));
  OK(odla_ReleaseValueById(ID("x")));
  OK(odla_ReleaseValue(y)); /* twice is once */
}

CASE(misuse_of_data) {
  float memory[3] = {0};
  void* raw = memory;
  odla_value x = odla_CreateValue(floats(3), ID("x"));
  odla_computation c;
  odla_value argument;
  INVALID(odla_SetValueData(x, NULL));
  INVALID(odla_SetValueDataById(ID("x"), NULL));
  INVALID(odla_SetValueDataById(ID("none"), memory));
  SAYS("none");
  INVALID(odla_SetValueDataById(NULL, memory));
  INVALID(odla_GetValueData(x, NULL, NULL));
  INVALID(odla_GetValueDataById(ID("x"), NULL));
  INVALID(odla_GetValueDataById(ID("none"), memory));
  INVALID(odla_GetValueDataById(NULL, memory));
  INVALID(odla_GetRawDataPtr(x, NULL));
  INVALID(odla_ReleaseValueById(ID("none")));
  INVALID(odla_ReleaseValueById(NULL));
  INVALID(odla_SetValueData(odla_Relu(x, NULL), memory));
  REFUSES_HANDLES(odla_value, odla_SetValueData(handle, memory));
  REFUSES_HANDLES(odla_value, odla_GetRawDataPtr(handle, &raw));
  CHECK(raw == NULL);
  REFUSES_HANDLES(odla_value, odla_GetValueData(handle, memory, NULL));
  REFUSES_HANDLES(odla_value, odla_ReleaseValue(handle));
  OK(odla_CreateComputation(&c));
  argument = odla_CreateArgument(floats(3), ID("a"));
  INVALID(odla_SetValueData(argument, memory));
  INVALID(odla_GetRawDataPtr(argument, &raw));
  INVALID(odla_GetValueData(argument, memory, NULL));
  OK(odla_DestroyComputation(c));
  INVALID(odla_SetValueData(argument, memory));
}

CASE(constants_have_data) {
  odla_computation c;
  const float in[3] = {1, 2, 3};
  float out[3];
  void* raw;
  odla_value constant;
  OK(odla_CreateComputation(&c));
  constant = odla_CreateConstant(floats(3), in, ID("c"));
  OK(odla_GetRawDataPtr(constant, &raw));
  NEAR((const float*)raw, in, 3);
  CHECK(raw != (const void*)in);
  OK(odla_GetValueData(constant, out, NULL));
  NEAR(out, in, 3);
  OK(odla_GetValueDataById(ID("c"), out));
  INVALID(odla_SetValueData(constant, in));
  OK(odla_DestroyComputation(c));
}

CASE(types_and_ids) {
  odla_computation c;
  odla_value x, scalar, unnamed, y, found = NULL;
  odla_value_type type;
  odla_value_id id;
  char name[16] = "temporary";
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(type_of(ODLA_INT64, shape_of(3, 2, -1, 4)), ID(name));
  strcpy(name, "overwritten");
  scalar = odla_CreateArgument(type_of(ODLA_FLOAT16, shape_of(0)), ID("scalar"));
  unnamed = odla_CreateArgument(floats(1), NULL);
  OK(odla_GetValueType(x, &type));
  CHECK(type.element_type == ODLA_INT64 && type.shape.size == 3);
  CHECK(type.shape.dims[0] == 2 && type.shape.dims[1] == -1 && type.shape.dims[2] == 4);
  OK(odla_GetValueType(scalar, &type));
  CHECK(type.element_type == ODLA_FLOAT16 && type.shape.size == 0);
  OK(odla_GetValueTypeById(ID("temporary"), &type));
  CHECK(type.element_type == ODLA_INT64);
  OK(odla_GetValueId(x, &id));
  CHECK(!strcmp((const char*)id, "temporary"));
  OK(odla_GetValueId(unnamed, &id));
  CHECK(id == NULL);
  y = odla_Shape(x, undefined_shape(), ID("y"));
  OK(odla_GetValueType(y, &type));
  CHECK(type.element_type == ODLA_INT64 && type.shape.size == 1 && type.shape.dims[0] == 3);
  OK(odla_FindValueById(ID("y"), &found));
  CHECK(found == y);
  INVALID(odla_FindValueById(ID("none"), &found));
  CHECK(found == NULL);
  INVALID(odla_FindValueById(NULL, &found));
  INVALID(odla_FindValueById(ID("y"), NULL));
  INVALID(odla_GetValueType(x, NULL));
  INVALID(odla_GetValueTypeById(ID("y"), NULL));
  INVALID(odla_GetValueTypeById(ID("none"), &type));
  INVALID(odla_GetValueId(x, NULL));
  REFUSES_HANDLES(odla_value, odla_GetValueType(handle, &type));
  REFUSES_HANDLES(odla_value, odla_GetValueId(handle, &id));
  CHECK(id == NULL);
  OK(odla_DestroyComputation(c));
  INVALID(odla_GetValueType(x, &type));
  SAYS("destroyed");
}

CASE(ids_that_are_integers) {
  odla_value x = odla_CreateValue(floats(1), ID(3)), found;
  odla_value_id id;
  OK(odla_GetValueId(x, &id));
  CHECK(id == ID(3));
  OK(odla_FindValueById(ID(3), &found));
  CHECK(found == x);
  INVALID(odla_FindValueById(ID(4000), &found));
}

CASE(outputs) {
  odla_computation c;
  odla_value x, y, z;
  odla_values some;
  odla_uint32 count;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(2), ID("x"));
  y = odla_Relu(x, ID("y"));
  z = odla_Neg(x, ID("z"));
  OK(odla_SetValueAsOutput(y));
  OK(odla_SetValueAsOutputById(ID("z")));
  OK(odla_SetValuesAsOutput(values_of(2, y, x)));
  OK(odla_GetNumOfOutputsFromComputation(c, &count));
  CHECK(count == 4);
  /* None of them when one is no value. */
  INVALID(odla_SetValuesAsOutput(values_of(2, z, (odla_value)NULL)));
  OK(odla_SetValuesAsOutput(values_of(0)));
  some = values_of(1, z);
  some.size = 65;
  INVALID(odla_SetValuesAsOutput(some));
  some.size = (odla_size_t)-1;
  INVALID(odla_SetValuesAsOutput(some));
  SAYS("accepted: 0 to 64");
  INVALID(odla_SetValueAsOutputById(ID("none")));
  INVALID(odla_SetValueAsOutputById(NULL));
  REFUSES_HANDLES(odla_value, odla_SetValueAsOutput(handle));
  OK(odla_GetNumOfOutputsFromComputation(c, &count));
  CHECK(count == 4);
  OK(odla_DestroyComputation(c));
  INVALID(odla_SetValueAsOutput(y));
}

CASE(interpreted_values_are_no_outputs) {
  odla_value x = odla_CreateValue(floats(2), ID("x"));
  INVALID(odla_SetValueAsOutput(x));
  SAYS("odla_GetValueData");
}

CASE(dump) {
  const float in[3] = {1, 2.5, -3};
  odla_computation c;
  odla_value x = odla_CreateValue(floats(3), ID("x"));
  OK(odla_SetValueData(x, in));
  printf("dump:\n");
  odla_Dump(x);
  printf("end of dump\n");
  odla_Dump(NULL);
  SAYS("odla_Dump: ");
  odla_Dump((odla_value)&something);
  OK(odla_CreateComputation(&c));
  odla_Dump(odla_CreateArgument(floats(3), ID("argument"))); /* the graph */
  OK(odla_DestroyComputation(c));
}
