/* Opens the library by its path (argument 2) in the way that argument 1 names, and uses it. */
#include <ODLA/odla_ipu.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char* path;

static void* symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (!found) {
    printf("no %s: %s\n", name, dlerror());
    exit(20);
  }
  return found;
}

/* The status of the first failure. */
static int use(void* library) {
  odla_status (*create)(odla_computation*), (*output)(odla_value), (*destroy)(odla_computation);
  odla_status (*context)(odla_context*), (*in)(odla_value_id, const void*, odla_context);
  odla_status (*out)(odla_value_id, void*, odla_context), (*close)(odla_context);
  odla_status (*run)(odla_computation, odla_context, odla_compute_mode, odla_device);
  odla_value (*argument)(odla_value_type, odla_value_id), (*relu)(odla_value, odla_value_id);
  const char* (*error)(void);
  odla_computation c;
  odla_context k;
  odla_value_type type;
  float x[2] = {-1, 2}, y[2] = {9, 9};
  int status;
  *(void**)&create = symbol(library, "odla_CreateComputation");
  *(void**)&output = symbol(library, "odla_SetValueAsOutput");
  *(void**)&destroy = symbol(library, "odla_DestroyComputation");
  *(void**)&context = symbol(library, "odla_CreateContext");
  *(void**)&in = symbol(library, "odla_BindToArgumentById");
  *(void**)&out = symbol(library, "odla_BindToOutputById");
  *(void**)&close = symbol(library, "odla_DestroyContext");
  *(void**)&run = symbol(library, "odla_ExecuteComputation");
  *(void**)&argument = symbol(library, "odla_CreateArgument");
  *(void**)&relu = symbol(library, "odla_Relu");
  *(void**)&error = symbol(library, "odla_ipu_LastError");
  status = create(&c);
  if (status) {
    printf("%d: %s\n", status, error());
    return status;
  }
  memset(&type, 0, sizeof type);
  type.element_type = ODLA_FLOAT32;
  type.shape.size = 1;
  type.shape.dims[0] = 2;
  status = output(relu(argument(type, (odla_value_id) "x"), (odla_value_id) "y"));
  if (!status) status = context(&k);
  if (!status) status = in((odla_value_id) "x", x, k);
  if (!status) status = out((odla_value_id) "y", y, k);
  if (!status) status = run(c, k, ODLA_COMPUTE_INFERENCE, NULL);
  if (status) printf("%d: %s\n", status, error());
  if (!status && (y[0] != 0 || y[1] != 2)) status = 30;
  if (!status) status = close(k);
  if (!status) status = destroy(c);
  return status;
}

static void* opened(int flags) {
  void* library = dlopen(path, flags);
  if (!library) {
    printf("%s\n", dlerror());
    exit(21);
  }
  return library;
}

static void* in_thread(void* status) {
  *(int*)status = use(opened(RTLD_NOW | RTLD_LOCAL));
  return NULL;
}

static void* uses(void* library) {
  return (void*)(long)use(library);
}

static void leaves(void) { printf("atexit\n"); }

int main(int count, char** arguments) {
  const char* way = arguments[1];
  int status = 0;
  path = arguments[2];
  if (count < 3) return 22;
  if (!strcmp(way, "local")) {
    status = use(opened(RTLD_NOW | RTLD_LOCAL));
  } else if (!strcmp(way, "global")) {
    status = use(opened(RTLD_LAZY | RTLD_GLOBAL));
  } else if (!strcmp(way, "thread")) {
    pthread_t thread;
    status = 40;
    pthread_create(&thread, NULL, in_thread, &status);
    pthread_join(thread, NULL);
    if (!status) status = use(opened(RTLD_NOW | RTLD_LOCAL)); /* and then on this one */
  } else if (!strcmp(way, "threads")) {
    pthread_t threads[6];
    void *library = opened(RTLD_NOW | RTLD_LOCAL), *result;
    int i;
    for (i = 0; i < 6; ++i) pthread_create(&threads[i], NULL, uses, library);
    for (i = 0; i < 6; ++i) {
      pthread_join(threads[i], &result);
      if (result) status = (int)(long)result;
    }
  } else if (!strcmp(way, "twice")) {
    status = use(opened(RTLD_NOW | RTLD_LOCAL));
    if (!status) status = use(opened(RTLD_NOW | RTLD_GLOBAL));
  } else if (!strcmp(way, "again")) {
    int i;
    for (i = 0; i < 3 && !status; ++i) {
      void* library = opened(RTLD_NOW | RTLD_LOCAL);
      status = use(library);
      dlclose(library);
    }
  } else if (!strcmp(way, "unused")) {
    dlclose(opened(RTLD_NOW | RTLD_LOCAL));
  } else if (!strcmp(way, "exit")) {
    atexit(leaves);
    status = use(opened(RTLD_NOW | RTLD_LOCAL));
    exit(status);
  } else if (!strcmp(way, "exit_in_thread")) {
    pthread_t thread;
    void* library = opened(RTLD_NOW | RTLD_LOCAL);
    pthread_create(&thread, NULL, uses, library);
    pthread_join(thread, NULL);
    exit(0);
  } else if (!strcmp(way, "exit_while_running")) {
    pthread_t thread;
    void* library = opened(RTLD_NOW | RTLD_LOCAL);
    pthread_create(&thread, NULL, uses, library);
    usleep((useconds_t)atoi(arguments[3]));
    exit(0);
  } else if (!strcmp(way, "no_folder")) {
    char folder[] = "/tmp/gone-XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) || rmdir(folder)) return 23;
    status = use(opened(RTLD_NOW | RTLD_LOCAL));
  } else if (!strcmp(way, "other_python")) {
    if (!dlopen(arguments[3], RTLD_NOW | RTLD_GLOBAL)) {
      printf("%s\n", dlerror());
      return 24;
    }
    status = use(opened(RTLD_NOW | RTLD_LOCAL));
    if (status) status = use(opened(RTLD_NOW | RTLD_LOCAL)); /* the second time, too */
  } else {
    return 25;
  }
  return status;
}
