/* Training: odla_DifferentiateComputation, ODLA_COMPUTE_TRAINING and the optimizer. */
#include "check.h"
#include "waited.h"

/* y = x w, loss = sum((y - t)^2) / 2, FLOAT32: x [4, 2], w [2, 1], t [4, 1]. */
typedef struct {
  odla_computation computation;
  odla_context context;
  odla_value w;
  float y[4], loss;
} line;

static const float xs[8] = {1, 2, -1, 0.5f, 0.25f, -2, 3, 1}, ts[4] = {1, -1, 0.5f, 2};

static line new_line(void) {
  line one;
  const float half = 0.5f;
  const float w[2] = {0.5f, -0.25f};
  const odla_uint32 axes[2] = {0, 1};
  odla_value x, t, y, rest, sum;
  memset(&one, 0, sizeof one);
  OK(odla_CreateComputation(&one.computation));
  x = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(2, 4, 2)), ID("x"));
  t = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(2, 4, 1)), ID("t"));
  one.w = odla_CreateVariable(type_of(ODLA_FLOAT32, shape_of(2, 2, 1)), ID("w"));
  OK(odla_SetValueData(one.w, w));
  y = odla_Gemm(x, 0, one.w, 0, 1, 1, NULL, shape_of(2, 4, 1), ID("y"));
  rest = odla_Sub(y, t, ID("rest"));
  sum = odla_ReduceSum(odla_Mul(rest, rest, ID("square")), 2, axes, 0, shape_of(0), ID("sum"));
  OK(odla_SetValueAsOutput(y));
  OK(odla_SetValueAsOutput(odla_Mul(
      sum, odla_CreateConstant(type_of(ODLA_FLOAT32, shape_of(0)), &half, ID("half")),
      ID("loss"))));
  OK(odla_CreateContext(&one.context));
  return one;
}

static void bind(line* one, odla_context context) {
  OK(odla_BindToArgumentById(ID("x"), xs, context));
  OK(odla_BindToArgumentById(ID("t"), ts, context));
  OK(odla_BindToOutputById(ID("y"), one->y, context));
  OK(odla_BindToOutputById(ID("loss"), &one->loss, context));
}

static void end(line* one) {
  OK(odla_DestroyContext(one->context));
  OK(odla_DestroyComputation(one->computation));
}

/* The same step here: w -= rate * (momentum * v + gradient). */
static double step(double* w, double* v, double rate, double momentum) {
  double gradient[2] = {0, 0}, loss = 0;
  int i, j;
  for (i = 0; i < 4; ++i) {
    double rest = xs[2 * i] * w[0] + xs[2 * i + 1] * w[1] - ts[i];
    loss += rest * rest / 2;
    for (j = 0; j < 2; ++j) gradient[j] += rest * xs[2 * i + j];
  }
  for (j = 0; j < 2; ++j) {
    v[j] = momentum * v[j] + gradient[j];
    w[j] -= rate * v[j];
  }
  return loss;
}

CASE(steps) {
  line one = new_line();
  double w[2] = {0.5, -0.25}, v[2] = {0, 0};
  float wanted[2], got[2];
  int i;
  OK(odla_DifferentiateComputation(one.computation));
  OK(odla_SetComputationItem(one.computation, ODLA_IPU_OPTIMIZER,
                             (odla_item_value) "SGD(learning_rate=0.02, momentum=0.5)"));
  bind(&one, one.context);
  for (i = 0; i < 5; ++i) {
    double loss = step(w, v, 0.02, 0.5);
    OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
    CHECK(fabs(one.loss - loss) < 1e-5);
  }
  for (i = 0; i < 2; ++i) wanted[i] = (float)w[i];
  OK(odla_GetValueData(one.w, got, NULL));
  NEAR(got, wanted, 2);
  end(&one);
}

CASE(inference_between_steps) {
  line one = new_line();
  double w[2] = {0.5, -0.25}, v[2] = {0, 0};
  float wanted[4];
  int i, round;
  OK(odla_DifferentiateComputation(one.computation));
  bind(&one, one.context);
  for (round = 0; round < 3; ++round) {
    step(w, v, 0.01, 0); /* the usual optimizer: SGD(learning_rate=0.01) */
    OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
    OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_INFERENCE, NULL));
    for (i = 0; i < 4; ++i) wanted[i] = (float)(xs[2 * i] * w[0] + xs[2 * i + 1] * w[1]);
    NEAR(one.y, wanted, 4);
    OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_DEFAULT, NULL));
    NEAR(one.y, wanted, 4);
  }
  end(&one);
}

CASE(the_optimizer_between_steps) {
  line one = new_line();
  double w[2] = {0.5, -0.25}, v[2] = {0, 0};
  float wanted[2], got[2];
  int i;
  bind(&one, one.context);
  for (i = 0; i < 4; ++i) {
    char text[64];
    double rate = 0.04 / (1 << i);
    snprintf(text, sizeof text, "SGD(learning_rate=%g)", rate);
    OK(odla_SetComputationItem(one.computation, ODLA_IPU_OPTIMIZER, (odla_item_value)text));
    memset(text, '?', sizeof text);
    v[0] = v[1] = 0;
    step(w, v, rate, 0);
    OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
  }
  /* Another kind starts anew: Adam's first step is the rate, whatever the gradient. */
  for (i = 0; i < 2; ++i) wanted[i] = (float)w[i];
  OK(odla_SetComputationItem(one.computation, ODLA_IPU_OPTIMIZER,
                             (odla_item_value) "Adam(learning_rate=0.25, epsilon=1e-12)"));
  OK(odla_GetValueData(one.w, got, NULL));
  NEAR(got, wanted, 2);
  OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
  OK(odla_GetValueData(one.w, got, NULL));
  for (i = 0; i < 2; ++i) CHECK(fabs(fabs(got[i] - wanted[i]) - 0.25) < 1e-4);
  end(&one);
}

CASE(setting_a_variable_between_steps) {
  line one = new_line();
  double w[2] = {1, 1}, v[2] = {0, 0};
  float wanted[2] = {1, 1}, got[2];
  int i;
  bind(&one, one.context);
  OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
  OK(odla_SetValueData(one.w, wanted));
  OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
  step(w, v, 0.01, 0);
  for (i = 0; i < 2; ++i) wanted[i] = (float)w[i];
  OK(odla_GetValueData(one.w, got, NULL));
  NEAR(got, wanted, 2);
  end(&one);
}

CASE(asynchronous_steps) {
  line one = new_line();
  double w[2] = {0.5, -0.25}, v[2] = {0, 0};
  float wanted[2], got[2];
  struct waited done = WAITED;
  int i;
  bind(&one, one.context);
  OK(odla_SetContextItem(one.context, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)called_back));
  OK(odla_SetContextItem(one.context, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&done));
  for (i = 0; i < 10; ++i) {
    OK(odla_AsyncExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
    step(w, v, 0.01, 0);
  }
  wait_for(&done, 10);
  CHECK(done.last == ODLA_SUCCESS);
  for (i = 0; i < 2; ++i) wanted[i] = (float)w[i];
  OK(odla_GetValueData(one.w, got, NULL));
  NEAR(got, wanted, 2);
  end(&one);
}

CASE(what_was_trained_is_stored) {
  line one = new_line(), other;
  odla_resource_location place;
  float before[4];
  memset(&other, 0, sizeof other);
  place.location_type = ODLA_LOCATION_PATH;
  place.location = "trained.odla";
  place.size = 0;
  bind(&one, one.context);
  OK(odla_DifferentiateComputation(one.computation));
  OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
  OK(odla_StoreComputation(place, one.computation));
  OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_INFERENCE, NULL));
  memcpy(before, one.y, sizeof before);
  OK(odla_LoadComputation(place, &other.computation));
  OK(odla_CreateContext(&other.context));
  bind(&other, other.context);
  OK(odla_ExecuteComputation(other.computation, other.context, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(other.y, before, 4);
  /* Both go on from there, each by itself. */
  OK(odla_ExecuteComputation(other.computation, other.context, ODLA_COMPUTE_TRAINING, NULL));
  OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
  CHECK(one.loss == other.loss);
  end(&other);
  end(&one);
}

CASE(misuse) {
  odla_computation plain = small_computation(), empty;
  odla_context k;
  odla_executable executable;
  line one;
  static const char* const wrong[] = {"",
                                      "SGD",
                                      "SGD(",
                                      "SGD(learning_rate)",
                                      "SGD(learning_rate=)",
                                      "SGD(learning_rate=-1)",
                                      "SGD(learning_rate=nan)",
                                      "SGD(learning_rate=1e999)",
                                      "SGD(rate=1)",
                                      "Adam(beta1=1)",
                                      "\xff\xfe",
                                      "__import__('os').abort()"};
  size_t i;
  float in[3] = {1, 1, 1};
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  INVALID(odla_DifferentiateComputation(plain));
  SAYS("no variables of floats");
  INVALID(odla_ExecuteComputation(plain, k, ODLA_COMPUTE_TRAINING, NULL));
  SAYS("no variables of floats");
  OK(odla_CreateComputation(&empty));
  INVALID(odla_DifferentiateComputation(empty));
  odla_CreateVariable(floats(3), ID("v"));
  INVALID(odla_DifferentiateComputation(empty));
  SAYS("has no loss");
  REFUSES_HANDLES(odla_computation, odla_DifferentiateComputation(handle));
  one = new_line();
  for (i = 0; i < sizeof wrong / sizeof *wrong; ++i)
    CHECK(odla_SetComputationItem(one.computation, ODLA_IPU_OPTIMIZER,
                                  (odla_item_value)wrong[i]) != ODLA_SUCCESS);
  INVALID(odla_SetComputationItem(one.computation, ODLA_IPU_OPTIMIZER, NULL));
  bind(&one, one.context);
  OK(odla_CompileComputation(one.computation, NULL, &executable));
  /* Still the usual optimizer. */
  OK(odla_ExecuteComputation(one.computation, one.context, ODLA_COMPUTE_TRAINING, NULL));
  OK(odla_LaunchExecutable(executable, one.context));
  OK(odla_DifferentiateComputation(one.computation));
  OK(odla_DifferentiateComputation(one.computation));
  OK(odla_DestroyComputation(empty));
  INVALID(odla_DifferentiateComputation(empty));
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(plain));
  end(&one);
}
