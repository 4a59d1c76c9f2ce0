/* What programs that compilers generate, and their clients, do: a case for each habit. */
#include "check.h"

#include <pthread.h>
#include <unistd.h>

static odla_computation add_number(const char* x, const char* y, float number) {
  odla_computation c;
  odla_value constant;
  float* weights = (float*)malloc(sizeof(float));
  OK(odla_CreateComputation(&c));
  *weights = number;
  constant = odla_CreateConstant(floats(1), weights, ID("w_"));
  *weights = -1000; /* and freed at once */
  free(weights);
  OK(odla_SetValueAsOutput(
      odla_Add(odla_CreateArgument(floats(2), ID(x)), constant, ID(y))));
  return c;
}

static float run_number(odla_computation c, odla_context k, const char* x, const char* y) {
  const float in[2] = {1, 2};
  float out[2] = {-1, -1};
  OK(odla_BindToArgumentById(ID(x), in, k));
  OK(odla_BindToOutputById(ID(y), out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(out[1] == out[0] + 1);
  return out[0] - 1;
}

CASE(context_while_another_computation_is_current) {
  odla_computation a = add_number("x", "y", 10), b = add_number("x", "y", 20);
  odla_context ka, kb;
  OK(odla_CreateContext(&ka)); /* b is current */
  OK(odla_CreateContext(&kb));
  CHECK(run_number(a, ka, "x", "y") == 10);
  CHECK(run_number(b, kb, "x", "y") == 20);
  CHECK(run_number(b, ka, "x", "y") == 20); /* a context is bound to no computation */
  CHECK(run_number(a, kb, "x", "y") == 10);
  OK(odla_DestroyComputation(b));
  CHECK(run_number(a, ka, "x", "y") == 10);
  OK(odla_DestroyComputation(a));
  OK(odla_DestroyContext(ka)); /* after their computation */
  OK(odla_DestroyContext(kb));
}

CASE(contexts_do_not_share_bindings) {
  odla_computation c = add_number("x", "y", 1);
  odla_context a, b;
  float ina[2] = {1, 1}, inb[2] = {2, 2}, outa[2], outb[2];
  OK(odla_CreateContext(&a));
  OK(odla_CreateContext(&b));
  OK(odla_BindToArgumentById(ID("x"), ina, a));
  OK(odla_BindToOutputById(ID("y"), outa, a));
  OK(odla_BindToArgumentById(ID("x"), inb, b));
  OK(odla_BindToOutputById(ID("y"), outb, b));
  OK(odla_ExecuteComputation(c, a, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_ExecuteComputation(c, b, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(outa[0] == 2 && outb[0] == 3);
  ina[0] = 7; /* data are read by the run, and bindings are kept */
  OK(odla_ExecuteComputation(c, a, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(outa[0] == 8 && outb[0] == 3);
  OK(odla_DestroyContext(a));
  OK(odla_ExecuteComputation(c, b, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyComputation(c));
}

CASE(output_that_is_an_argument) {
  odla_computation c;
  odla_context k;
  odla_value a;
  const float in[2] = {3, 4};
  float out[2] = {0};
  OK(odla_CreateComputation(&c));
  a = odla_CreateArgument(floats(2), ID("a:0"));
  OK(odla_SetValueAsOutput(a));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("a:0"), in, k));
  OK(odla_BindToOutputById(ID("a_0"), out, k)); /* the normalised name */
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, in, 2);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(output_that_is_an_argument_with_a_digit) {
  odla_computation c;
  odla_context k;
  const float in[2] = {3, 4};
  float out[2] = {0};
  OK(odla_CreateComputation(&c));
  OK(odla_SetValueAsOutput(odla_CreateArgument(floats(2), ID("0/x"))));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("0/x"), in, k));
  OK(odla_BindToOutputById(ID("val_0_x"), out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, in, 2);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(output_that_is_a_constant_and_no_arguments) {
  odla_computation c;
  odla_context k;
  const int64_t shape[2] = {5, 6};
  int64_t out[2] = {0};
  OK(odla_CreateComputation(&c));
  OK(odla_SetValueAsOutput(
      odla_CreateConstant(type_of(ODLA_INT64, shape_of(1, 2)), shape, ID("Shape_output_"))));
  OK(odla_CreateContext(&k));
  OK(odla_BindToOutputById(ID("Shape_output_"), out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(out[0] == 5 && out[1] == 6);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(output_that_is_folded) {
  odla_computation c;
  odla_context k;
  const float two = 2;
  float out = 0;
  odla_value constant;
  OK(odla_CreateComputation(&c));
  constant = odla_CreateConstant(type_of(ODLA_FLOAT32, shape_of(0)), &two, ID("two"));
  OK(odla_SetValueAsOutput(odla_Mul(constant, constant, ID("four"))));
  OK(odla_CreateContext(&k));
  OK(odla_BindToOutputById(ID("four"), &out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(out == 4);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(output_twice_into_two_memories) {
  odla_computation c;
  odla_context k;
  odla_value y;
  const float in[2] = {-1, 2}, wanted[2] = {0, 2};
  float one[2] = {9, 9}, two[2] = {9, 9};
  int i;
  OK(odla_CreateComputation(&c));
  y = odla_Relu(odla_CreateArgument(floats(2), ID("x")), ID("y"));
  OK(odla_SetValueAsOutput(y));
  OK(odla_SetValueAsOutput(y));
  OK(odla_CreateContext(&k));
  for (i = 0; i < 3; ++i) { /* each call binds anew */
    one[0] = one[1] = two[0] = two[1] = 9;
    OK(odla_BindToArgumentById(ID("x"), in, k));
    OK(odla_BindToOutputById(ID("y"), one, k));
    OK(odla_BindToOutputById(ID("y"), two, k));
    OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
    NEAR(one, wanted, 2);
    NEAR(two, wanted, 2);
  }
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(raw_names_of_arguments) {
  odla_computation c = add_number("in/put:0", "Add_output", 5);
  odla_context k;
  OK(odla_CreateContext(&k));
  CHECK(run_number(c, k, "in/put:0", "Add_output") == 5);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(names_that_are_null_empty_or_the_same) {
  odla_computation c;
  odla_context k;
  odla_value x, one, two, y;
  const float a[2] = {1, 2}, b[2] = {10, 20}, in[2] = {0, 0}, wanted[2] = {11, 22};
  float out[2];
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(2), NULL);
  one = odla_CreateConstant(floats(2), a, ID("w"));
  two = odla_CreateConstant(floats(2), b, ID("w"));
  y = odla_Add(odla_Add(x, one, ID("")), two, NULL);
  OK(odla_SetValueAsOutput(y));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgument(x, in, k));
  OK(odla_BindToOutput(y, out, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, wanted, 2);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

/* As a compiler writes it. */

static odla_computation Comp;
static odla_context Ctx;

static void clobber(void) {
  volatile char stack[4096];
  size_t i;
  for (i = 0; i < sizeof stack; ++i) stack[i] = (char)0xee;
}

static int model_helper(odla_computation comp) {
  bool use_sim = true;
  int ipu_num = 1, batches = 1;
  odla_value x, w;
  const float weight[2] = {1, 2};
  odla_SetComputationItem(comp, ODLA_USE_SIM_MODE, (odla_item_value)&use_sim);
  odla_SetComputationItem(comp, ODLA_PROCESSOR_NUM, (odla_item_value)&ipu_num);
  odla_SetComputationItem(comp, ODLA_BATCHES_PER_STEP, (odla_item_value)&batches);
  x = odla_CreateArgument(floats(2), ID("x"));
  w = odla_CreateConstant(floats(2), weight, ID("w_"));
  odla_SetValueAsOutput(odla_Mul(x, w, ID("y")));
  return 0;
}

static int model_init(void) {
  odla_status status;
  if (Comp) return ODLA_SUCCESS;
  status = odla_CreateComputation(&Comp);
  if (status != ODLA_SUCCESS) return status;
  return model_helper(Comp);
}

static int model_run(int num_in, const void* in[], int num_out, void* out[], int batch_size) {
  odla_status status;
  (void)num_in, (void)num_out, (void)batch_size;
  model_init();
  clobber();
  if (!Ctx) {
    status = odla_CreateContext(&Ctx);
    if (status != ODLA_SUCCESS) return status;
  }
  status = odla_BindToArgumentById(ID("x"), in[0], Ctx);
  if (status != ODLA_SUCCESS) return status;
  status = odla_BindToOutputById(ID("y"), out[0], Ctx);
  if (status != ODLA_SUCCESS) return status;
  return odla_ExecuteComputation(Comp, Ctx, ODLA_COMPUTE_INFERENCE, NULL);
}

static int model_fini(void) { return Comp ? odla_DestroyComputation(Comp) : ODLA_SUCCESS; }

static void* runs_model(void* result) {
  float in[2] = {3, 4}, out[2] = {0};
  const void* ins[1] = {in};
  void* outs[1] = {out};
  *(int*)result = model_run(1, ins, 1, outs, 1);
  if (out[0] != 3 || out[1] != 8) *(int*)result = 100;
  return NULL;
}

CASE(fini_twice_and_run_after_it) {
  float in[2] = {3, 4}, out[2] = {0};
  const void* ins[1] = {in};
  void* outs[1] = {out};
  pthread_t thread;
  int other = 99;
  OK((odla_status)model_init());
  OK((odla_status)model_init());
  OK((odla_status)model_run(1, ins, 1, outs, 1));
  CHECK(out[0] == 3 && out[1] == 8);
  /* One context, one thread after the other. */
  pthread_create(&thread, NULL, runs_model, &other);
  pthread_join(thread, NULL);
  CHECK(other == ODLA_SUCCESS);
  OK((odla_status)model_run(1, ins, 1, outs, 1));
  OK((odla_status)model_fini());
  INVALID((odla_status)model_fini());
  INVALID((odla_status)model_run(1, ins, 1, outs, 1));
  INVALID((odla_status)model_run(1, ins, 1, outs, 1));
  OK(odla_DestroyContext(Ctx));
}

CASE(items_between_and_after_the_ops) {
  odla_computation c;
  odla_context k;
  odla_value x, y;
  float in[3] = {1, 2, 3}, out[3] = {0}, wanted[3] = {1, 2, 3};
  bool on = true;
  int number = 3;
  OK(odla_CreateComputation(&c));
  x = odla_CreateArgument(floats(-1), ID("x"));
  OK(odla_SetComputationItem(c, ODLA_DYNAMIC_BATCH, (odla_item_value)&on));
  y = odla_Relu(x, ID("y"));
  OK(odla_SetComputationItem(c, ODLA_MAX_BATCH_SIZE, (odla_item_value)&number));
  OK(odla_SetValueAsOutput(y));
  OK(odla_CreateContext(&k));
  number = 2;
  OK(odla_SetComputationItem(c, ODLA_OPT_BATCH_SIZE, (odla_item_value)&number));
  OK(odla_BindToArgument(x, in, k));
  OK(odla_BindToOutput(y, out, k));
  number = 3;
  OK(odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, (odla_item_value)&number));
  number = 1;
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  NEAR(out, wanted, 3);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(graph_built_after_another_was_created) {
  /* helper(a) after b was created: its items lead back to a. */
  odla_computation a, b;
  odla_uint32 count;
  OK(odla_CreateComputation(&a));
  OK(odla_CreateComputation(&b));
  CHECK(model_helper(a) == 0);
  OK(odla_GetNumOfOutputsFromComputation(a, &count));
  CHECK(count == 1);
  OK(odla_GetNumOfOutputsFromComputation(b, &count));
  CHECK(count == 0);
  CHECK(model_helper(b) == 0);
  OK(odla_GetNumOfOutputsFromComputation(b, &count));
  CHECK(count == 1);
  OK(odla_DestroyComputation(a));
  OK(odla_DestroyComputation(b));
}

/* Threads. */

struct job {
  odla_computation computation;
  odla_context context;
  float number, result;
};

static void* builds(void* one) {
  struct job* job = (struct job*)one;
  job->computation = add_number("x", "y", job->number);
  return NULL;
}

static void* runs(void* one) {
  struct job* job = (struct job*)one;
  int i;
  if (!job->context) OK(odla_CreateContext(&job->context));
  for (i = 0; i < 20; ++i) job->result = run_number(job->computation, job->context, "x", "y");
  return NULL;
}

CASE(init_on_one_thread_and_run_on_another) {
  struct job job = {NULL, NULL, 4, 0};
  pthread_t thread;
  pthread_create(&thread, NULL, builds, &job);
  pthread_join(thread, NULL);
  runs(&job); /* this thread has created none */
  CHECK(job.result == 4);
  pthread_create(&thread, NULL, runs, &job);
  pthread_join(thread, NULL);
  CHECK(job.result == 4);
  OK(odla_DestroyContext(job.context));
  OK(odla_DestroyComputation(job.computation));
}

static void* adds_ops(void* one) {
  struct job* job = (struct job*)one;
  OK(odla_SetValueAsOutput(odla_Neg(odla_CreateArgument(floats(2), ID("x")), ID("y"))));
  job->result = 1;
  return NULL;
}

CASE(ops_added_by_a_thread_without_a_computation) {
  struct job job = {NULL, NULL, 0, 0};
  odla_uint32 count = 0;
  pthread_t thread;
  OK(odla_CreateComputation(&job.computation));
  pthread_create(&thread, NULL, adds_ops, &job); /* goes to the process's latest */
  pthread_join(thread, NULL);
  OK(odla_GetNumOfOutputsFromComputation(job.computation, &count));
  CHECK(count == 1);
  OK(odla_DestroyComputation(job.computation));
}

CASE(two_threads_build_two_graphs) {
  enum { kThreads = 4 };
  struct job jobs[kThreads];
  pthread_t threads[kThreads];
  int i;
  for (i = 0; i < kThreads; ++i) {
    memset(&jobs[i], 0, sizeof jobs[i]);
    jobs[i].number = (float)(i + 1);
    pthread_create(&threads[i], NULL, builds, &jobs[i]);
  }
  for (i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  for (i = 0; i < kThreads; ++i) {
    runs(&jobs[i]);
    CHECK(jobs[i].result == (float)(i + 1));
    OK(odla_DestroyContext(jobs[i].context));
    OK(odla_DestroyComputation(jobs[i].computation));
  }
}

CASE(three_threads_with_contexts_of_their_own) {
  struct job jobs[3];
  pthread_t threads[3];
  odla_computation c = add_number("x", "y", 6);
  int i;
  for (i = 0; i < 3; ++i) {
    memset(&jobs[i], 0, sizeof jobs[i]);
    jobs[i].computation = c;
    pthread_create(&threads[i], NULL, runs, &jobs[i]);
  }
  for (i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  for (i = 0; i < 3; ++i) {
    CHECK(jobs[i].result == 6);
    OK(odla_DestroyContext(jobs[i].context));
  }
  OK(odla_DestroyComputation(c));
}

CASE(two_models_in_turn) {
  odla_computation a = add_number("x", "y", 1), b = add_number("x", "z", 2);
  odla_context ka, kb;
  int i;
  OK(odla_CreateContext(&ka));
  OK(odla_CreateContext(&kb));
  for (i = 0; i < 5; ++i) {
    CHECK(run_number(a, ka, "x", "y") == 1);
    CHECK(run_number(b, kb, "x", "z") == 2);
  }
  OK(odla_DestroyContext(ka));
  OK(odla_DestroyComputation(a));
  CHECK(run_number(b, kb, "x", "z") == 2);
  OK(odla_DestroyContext(kb));
  OK(odla_DestroyComputation(b));
}

static int count_callback(void* arg, odla_status status) {
  ++*(volatile int*)arg;
  return (int)status;
}

static int null_argument_calls;
static int null_callback(void* arg, odla_status status) {
  null_argument_calls += arg == NULL && status == ODLA_SUCCESS;
  return 0;
}

CASE(destroy_right_after_an_asynchronous_run) {
  odla_computation c = add_number("x", "y", 1);
  odla_context k;
  const float in[2] = {1, 2};
  float out[2] = {0};
  volatile int calls = 0;
  OK(odla_CreateContext(&k));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)count_callback));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&calls));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyComputation(c)); /* returns when the run is over */
  CHECK(calls == 1 && out[1] == 3);
  OK(odla_DestroyContext(k));
}

CASE(callback_without_an_argument) {
  odla_computation c = add_number("x", "y", 1);
  odla_context k;
  const float in[2] = {1, 2};
  float out[2] = {0};
  OK(odla_CreateContext(&k));
  OK(odla_SetContextItem(k, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)null_callback));
  OK(odla_BindToArgumentById(ID("x"), in, k));
  OK(odla_BindToOutputById(ID("y"), out, k));
  OK(odla_AsyncExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  OK(odla_DestroyComputation(c));
  CHECK(null_argument_calls == 1);
  OK(odla_DestroyContext(k));
}

/* Interpreted execution, as it is generated. */

static void interpreted_model(const float* in, float* out, uintptr_t base) {
  static const float weights[4] = {1, 2, 3, 4};
  /* With integers for ids; 0 is none of them. */
  odla_value x = odla_CreateValue(floats(2), base ? ID(base) : ID("in_x"));
  odla_value w, y, z;
  OK(odla_SetValueData(x, in));
  w = odla_CreateConstant(type_of(ODLA_FLOAT32, shape_of(2, 2, 2)), weights,
                          base ? ID(base + 1) : ID("w_"));
  y = odla_Add(odla_Mul(x, w, base ? ID(base + 2) : ID("Mul_output")), w,
               base ? ID(base + 3) : ID("Add_output"));
  z = odla_Relu(y, base ? ID(base + 4) : ID("Relu_output"));
  OK(odla_ReleaseValue(y));
  OK(odla_GetValueData(z, out, NULL));
}

CASE(interpreted_mode) {
  float in[2], out[4];
  int i;
  odla_context k;
  for (i = 0; i < 300; ++i) { /* all is made anew, with the same ids */
    in[0] = (float)i;
    in[1] = -2;
    interpreted_model(in, out, i % 2 ? 1 : 0);
    CHECK(out[0] == (float)(i + 1) && out[1] == 0 && out[2] == (float)(3 * i + 3) && out[3] == 0);
  }
  OK(odla_CreateContext(&k)); /* none was needed */
  OK(odla_DestroyContext(k));
}

CASE(interpreted_beside_a_computation) {
  odla_computation c = add_number("x", "y", 3);
  odla_context k;
  float in[2] = {1, 1}, out[4];
  interpreted_model(in, out, 1);
  CHECK(out[3] == 8);
  OK(odla_CreateContext(&k));
  CHECK(run_number(c, k, "x", "y") == 3);
  OK(odla_DestroyComputation(c));
  c = add_number("x", "y", 4); /* a new computation ends it */
  CHECK(run_number(c, k, "x", "y") == 4);
  OK(odla_DestroyComputation(c));
  OK(odla_DestroyContext(k));
}

/* Functions of their own for parts of a model. */

static odla_computation part;
static odla_context part_context;

static void part_function(odla_device device, odla_values inputs, odla_values outputs) {
  (void)device;
  if (!part) part = add_number("part_in", "part_out", 100);
  if (!part_context) odla_CreateContext(&part_context);
  OK(odla_BindValueToArgumentById(ID("part_in"), inputs.values[0], part_context));
  OK(odla_BindValueToOutputById(ID("part_out"), outputs.values[0], part_context));
  OK(odla_ExecuteComputation(part, part_context, ODLA_COMPUTE_INFERENCE, NULL));
}

CASE(parts_that_are_tasks) {
  odla_device devices[3] = {NULL, NULL, NULL};
  odla_task task;
  odla_value in, out;
  float x[2] = {1, 2}, y[2] = {0};
  int i;
  odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &devices[0]);
  odla_AllocateDevice(NULL, ODLA_DEVICE_NVIDIA_TENSORRT, 0, &devices[1]);
  odla_AllocateDevice(NULL, ODLA_DEVICE_INTEL_X86, 0, &devices[2]);
  CHECK(devices[0] && !devices[1] && !devices[2]);
  odla_SetCurrentDevice(devices[0]);
  for (i = 0; i < 3; ++i) {
    x[0] = (float)i;
    in = odla_CreateValue(floats(2), ID("in_0"));
    OK(odla_SetValueData(in, x));
    out = odla_CreateValue(floats(2), ID("out_0"));
    task.func = part_function;
    task.inputs = values_of(1, in);
    task.outputs = values_of(1, out);
    OK(odla_RunTaskAsync(devices[0], task));
    OK(odla_GetValueData(out, y, NULL));
    CHECK(y[0] == 100 + (float)i && y[1] == 102);
    OK(odla_ReleaseValue(in));
  }
  odla_SetCurrentDevice(NULL);
  OK(odla_DestroyDevice(devices[0]));
  OK(odla_DestroyContext(part_context));
  OK(odla_DestroyComputation(part));
}

/* Deploying through a template. */

CASE(compiled_stored_and_never_destroyed) {
  odla_device d;
  odla_computation c;
  odla_executable e;
  odla_resource_location location = {ODLA_LOCATION_PATH, "template.bin", 0};
  OK(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &d));
  OK(odla_CreateComputation(&c));
  CHECK(model_helper(c) == 0);
  OK(odla_CompileComputation(c, d, &e));
  OK(odla_StoreExecutable(location, e));
  OK(odla_DestroyExecutable(e));
  OK(odla_DestroyDevice(d));
}

CASE(arguments_found_by_their_place) {
  odla_computation c = add_number("x", "y", 2);
  odla_context k;
  odla_value value;
  odla_uint32 count = 0, i;
  float in[2] = {1, 2}, out[2] = {0};
  OK(odla_CreateContext(&k));
  OK(odla_GetNumOfArgsFromComputation(c, &count));
  for (i = 0; i < count; ++i) {
    OK(odla_GetArgFromComputationByIdx(c, i, &value));
    OK(odla_BindToArgument(value, in, k));
  }
  OK(odla_GetNumOfOutputsFromComputation(c, &count));
  for (i = 0; i < count; ++i) {
    OK(odla_GetOutputFromComputationByIdx(c, i, &value));
    OK(odla_BindToOutput(value, out, k));
  }
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(out[0] == 3 && out[1] == 4);
  OK(odla_DestroyContext(k)); /* first the context, then the computation */
  OK(odla_DestroyComputation(c));
}

/* Memory. */

CASE(element_types_of_bound_memory) {
  odla_computation c;
  odla_context k;
  odla_value n, b, h, s;
  int64_t in_n[2] = {5000000000LL, -3}, out_n[2];
  unsigned char in_b[2] = {7, 0}, out_b[4] = {9, 9, 9, 9}; /* any byte but 0 is true */
  uint16_t in_h[2] = {0x3c00, 0xc000}, out_h[3] = {0, 0, 0x1234};
  float in_s = 2, out_s = 0;
  OK(odla_CreateComputation(&c));
  n = odla_CreateArgument(type_of(ODLA_INT64, shape_of(1, 2)), ID("n"));
  b = odla_CreateArgument(type_of(ODLA_BOOL, shape_of(1, 2)), ID("b"));
  h = odla_CreateArgument(type_of(ODLA_FLOAT16, shape_of(1, 2)), ID("h"));
  s = odla_CreateArgument(type_of(ODLA_FLOAT32, shape_of(0)), ID("s"));
  OK(odla_SetValueAsOutput(n));
  OK(odla_SetValueAsOutput(odla_Not(b, ID("not_b"))));
  OK(odla_SetValueAsOutput(odla_Relu(h, ID("relu_h"))));
  OK(odla_SetValueAsOutput(odla_Neg(s, ID("neg_s"))));
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("n"), in_n, k));
  OK(odla_BindToArgumentById(ID("b"), in_b, k));
  OK(odla_BindToArgumentById(ID("h"), in_h, k));
  OK(odla_BindToArgumentById(ID("s"), &in_s, k));
  OK(odla_BindToOutputById(ID("n"), out_n, k));
  OK(odla_BindToOutputById(ID("not_b"), out_b, k));
  OK(odla_BindToOutputById(ID("relu_h"), out_h, k));
  OK(odla_BindToOutputById(ID("neg_s"), &out_s, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(out_n[0] == 5000000000LL && out_n[1] == -3);
  CHECK(out_b[0] == 0 && out_b[1] == 1 && out_b[2] == 9 && out_b[3] == 9);
  CHECK(out_h[0] == 0x3c00 && out_h[1] == 0 && out_h[2] == 0x1234);
  CHECK(out_s == -2);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(memory_that_is_not_aligned) {
  odla_computation c = add_number("x", "y", 1);
  odla_context k;
  const float in[2] = {1, 2};
  float out[2];
  char from[16], to[16];
  memcpy(from + 1, in, 8);
  to[0] = to[11] = 'x';
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), from + 1, k));
  OK(odla_BindToOutputById(ID("y"), to + 3, k));
  OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  memcpy(out, to + 3, 8);
  CHECK(out[0] == 2 && out[1] == 3 && to[0] == 'x' && to[11] == 'x');
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}

CASE(one_memory_for_argument_and_output) {
  odla_computation c = add_number("x", "y", 1);
  odla_context k;
  float memory[2] = {1, 2};
  int i;
  OK(odla_CreateContext(&k));
  OK(odla_BindToArgumentById(ID("x"), memory, k));
  OK(odla_BindToOutputById(ID("y"), memory, k));
  for (i = 0; i < 3; ++i) OK(odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL));
  CHECK(memory[0] == 4 && memory[1] == 5);
  OK(odla_DestroyContext(k));
  OK(odla_DestroyComputation(c));
}
