/*
 * Trains a LeNet on digits: files images and labels, then tests it on test and wanted.
 *   train_lenet EPOCHS; prints the share of digits that are read right
 */
#include <ODLA/odla_ipu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 50, PIXELS = 28 * 28, CLASSES = 10 };

static int failures;

static void ok(odla_status status, const char* what) {
  if (status == ODLA_SUCCESS) return;
  fprintf(stderr, "%s: %d: %s\n", what, (int)status, odla_ipu_LastError());
  exit(1);
}
#define OK(call) ok((call), #call)

static void* file(const char* name, long* size) {
  FILE* in = fopen(name, "rb");
  void* data;
  if (!in) exit(2);
  fseek(in, 0, SEEK_END);
  *size = ftell(in);
  rewind(in);
  data = malloc((size_t)*size);
  if (fread(data, 1, (size_t)*size, in) != (size_t)*size) exit(3);
  fclose(in);
  return data;
}

static odla_value_shape shape4(int rank, int a, int b, int c, int d) {
  odla_value_shape shape;
  memset(&shape, 0, sizeof shape);
  shape.size = rank;
  shape.dims[0] = a;
  shape.dims[1] = b;
  shape.dims[2] = c;
  shape.dims[3] = d;
  return shape;
}

static odla_value_type type_of(odla_element_type element, odla_value_shape shape) {
  odla_value_type type;
  type.element_type = element;
  type.shape = shape;
  return type;
}

/* Even numbers in [-reach, reach], the same in every run; reach 0 is zeros. */
static odla_value variable(const char* name, odla_value_shape shape, float reach) {
  static unsigned state = 1;
  odla_value value = odla_CreateVariable(type_of(ODLA_FLOAT32, shape), (odla_value_id)name);
  int i, count = 1;
  float* data;
  for (i = 0; i < shape.size; ++i) count *= (int)shape.dims[i];
  data = (float*)malloc((size_t)count * sizeof *data);
  for (i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    data[i] = reach * ((float)(state >> 8) / (float)(1 << 23) - 1);
  }
  OK(odla_SetValueData(value, data));
  free(data);
  return value;
}

static odla_value stage(odla_value x, int in, int out, int size, int padding, const char* name) {
  const odla_uint32 ones[2] = {1, 1}, twos[2] = {2, 2}, zeros[2] = {0, 0};
  odla_uint32 pads[2];
  char id[32];
  int wide = size + 2 * padding - 4;
  odla_value w, b, y;
  pads[0] = pads[1] = (odla_uint32)padding;
  sprintf(id, "%s.w", name);
  w = variable(id, shape4(4, out, in, 5, 5), in == 1 ? 0.3f : 0.12f);
  sprintf(id, "%s.b", name);
  b = variable(id, shape4(1, out, 0, 0, 0), 0);
  y = odla_Conv(x, ODLA_CHANNELS_FIRST, 1, w, ODLA_OIS, ones, ones, pads, pads, b,
                shape4(4, BATCH, out, wide, wide), (odla_value_id)name);
  return odla_MaxPool(odla_Relu(y, NULL), ODLA_CHANNELS_FIRST, twos, twos, zeros, zeros,
                      shape4(4, BATCH, out, wide / 2, wide / 2), NULL);
}

static odla_value dense(odla_value x, int in, int out, float reach, const char* name) {
  char id[32];
  odla_value w, b;
  sprintf(id, "%s.w", name);
  w = variable(id, shape4(2, in, out, 0, 0), reach);
  sprintf(id, "%s.b", name);
  b = variable(id, shape4(1, out, 0, 0, 0), 0);
  return odla_Gemm(x, 0, w, 0, 1, 1, b, shape4(2, BATCH, out, 0, 0), (odla_value_id)name);
}

int main(int count, char** arguments) {
  long size, images_count, test_count, i;
  float *images = (float*)file("images", &size), *test, scores[BATCH * CLASSES], loss, sum = 0;
  int *labels, *wanted, epoch, epochs = count > 1 ? atoi(arguments[1]) : 1, right = 0, j, k;
  odla_computation net;
  odla_context run;
  odla_value x, gt, y;
  images_count = size / (PIXELS * (long)sizeof(float));
  labels = (int*)file("labels", &size);
  test = (float*)file("test", &size);
  test_count = size / (PIXELS * (long)sizeof(float));
  wanted = (int*)file("wanted", &size);

  OK(odla_CreateComputation(&net));
  x = odla_CreateArgument(type_of(ODLA_FLOAT32, shape4(4, BATCH, 1, 28, 28)), (odla_value_id) "x");
  gt = odla_CreateArgument(type_of(ODLA_INT32, shape4(1, BATCH, 0, 0, 0)), (odla_value_id) "gt");
  y = stage(stage(x, 1, 6, 28, 2, "conv1"), 6, 16, 14, 0, "conv2");
  y = odla_Reshape(y, shape4(2, BATCH, 400, 0, 0), NULL);
  y = odla_Relu(dense(y, 400, 120, 0.08f, "fc1"), NULL);
  y = odla_Relu(dense(y, 120, 84, 0.15f, "fc2"), NULL);
  y = dense(y, 84, CLASSES, 0.15f, "scores");
  OK(odla_SetValueAsOutput(y));
  y = odla_NegativeLogLikeliHoodLoss(odla_LogSoftmax(y, 1, NULL), gt, -1, ODLA_REDUCE_MEAN, NULL,
                                     shape4(0, 0, 0, 0, 0), (odla_value_id) "loss");
  OK(odla_SetValueAsOutput(y));
  OK(odla_DifferentiateComputation(net));
  OK(odla_SetComputationItem(net, ODLA_IPU_OPTIMIZER,
                             (odla_item_value) "SGD(learning_rate=0.01, momentum=0.9)"));
  OK(odla_CreateContext(&run));
  OK(odla_BindToOutputById((odla_value_id) "scores", scores, run));
  OK(odla_BindToOutputById((odla_value_id) "loss", &loss, run));
  for (epoch = 0; epoch < epochs; ++epoch)
    for (i = 0, sum = 0; i + BATCH <= images_count; i += BATCH) {
      OK(odla_BindToArgumentById((odla_value_id) "x", images + PIXELS * i, run));
      OK(odla_BindToArgumentById((odla_value_id) "gt", labels + i, run));
      OK(odla_ExecuteComputation(net, run, ODLA_COMPUTE_TRAINING, NULL));
      sum += loss * BATCH / (float)images_count;
    }
  for (i = 0; i + BATCH <= test_count; i += BATCH) {
    OK(odla_BindToArgumentById((odla_value_id) "x", test + PIXELS * i, run));
    OK(odla_BindToArgumentById((odla_value_id) "gt", wanted + i, run));
    OK(odla_ExecuteComputation(net, run, ODLA_COMPUTE_INFERENCE, NULL));
    for (j = 0; j < BATCH; ++j) {
      int best = 0;
      for (k = 1; k < CLASSES; ++k)
        if (scores[CLASSES * j + k] > scores[CLASSES * j + best]) best = k;
      right += best == wanted[i + j];
    }
  }
  printf("loss %.4f, %d of %ld are right\n", sum, right, test_count);
  if (right < test_count * 94 / 100) ++failures;
  OK(odla_DestroyContext(run));
  OK(odla_DestroyComputation(net));
  return failures != 0;
}
