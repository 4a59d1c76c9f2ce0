/* The C half of the extension module: cffi adds the functions of Python to it. */
#include <Python.h>
#include <string.h>

#include "bridge.h"

static void odla_ipu_call(int32_t, const odla_ipu_slot*, odla_ipu_reply*);
static void odla_ipu_op(int32_t, int64_t, const odla_ipu_slot*, const odla_ipu_ids*,
                        odla_ipu_reply*);
static void odla_ipu_run(const odla_ipu_job*, odla_ipu_reply*);

static odla_ipu_host host_copy;
static const odla_ipu_host* odla_ipu_the_host;

static void odla_ipu_log(int32_t level, const char* message) {
  if (odla_ipu_the_host) odla_ipu_the_host->log(level, message);
}

static int32_t odla_ipu_has_logger(void) {
  return odla_ipu_the_host ? odla_ipu_the_host->has_logger() : 0;
}

static void odla_ipu_shut_down(void) {
  if (odla_ipu_the_host) odla_ipu_the_host->shut_down();
}

/* Puts the folders of PYTHONPATH, with colons between them, in front of sys.path. */
static void add_folders(const char* path) {
  PyObject* folders = PySys_GetObject("path");
  Py_ssize_t place = 0;
  while (folders && *path) {
    size_t length = strcspn(path, ":");
    PyObject* folder = length ? PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)length) : NULL;
    if (folder) PyList_Insert(folders, place++, folder);
    Py_XDECREF(folder);
    path += length + (path[length] == ':');
  }
  PyErr_Clear();
}

/* Starts Python as the interpreter at the path would start, but for what the environment says. */
static int start_interpreter(const char* executable, char* message, size_t size) {
  PyConfig config;
  PyStatus status;
  const char* path = getenv("PYTHONPATH");
  PyConfig_InitPythonConfig(&config);
  /* PYTHONHOME and its like are meant for other Pythons. */
  config.use_environment = 0;
  config.install_signal_handlers = 0;
  config.parse_argv = 0;
  config.user_site_directory = 0;
  status = PyConfig_SetBytesString(&config, &config.program_name, executable);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) {
    snprintf(message, size, "%s: %s", executable,
             status.err_msg ? status.err_msg : "it exits at once");
    return -1;
  }
  if (path) add_folders(path); /* it says where the SDK is */
  return 0;
}

/* Writes the pending exception to message. */
static void explain(char* message, size_t size) {
  PyObject *type, *value, *trace, *text;
  const char* read = NULL;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  text = value ? PyObject_Str(value) : NULL;
  if (text) read = PyUnicode_AsUTF8(text);
  snprintf(message, size, "%s: %s", type ? ((PyTypeObject*)type)->tp_name : "no exception",
           read ? read : "");
  Py_XDECREF(text);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  PyErr_Clear();
}

/* Makes the package importable and lets its Python half get ready. */
static int connect(const char* package_path, int started, char* message, size_t size) {
  PyObject *entries, *done, *folders, *folder;
  entries = PyImport_ImportModule("odla_ipu.abi.entries");
  if (!entries && PyErr_ExceptionMatches(PyExc_ModuleNotFoundError)) {
    PyErr_Clear();
    folders = PySys_GetObject("path");
    folder = PyUnicode_DecodeFSDefault(package_path);
    if (folders && folder) PyList_Append(folders, folder);
    Py_XDECREF(folder);
    entries = PyImport_ImportModule("odla_ipu.abi.entries");
  }
  done = entries ? PyObject_CallMethod(entries, "connect", "sO", package_path,
                                       started ? Py_True : Py_False)
                 : NULL;
  Py_XDECREF(entries);
  if (!done) {
    explain(message, size);
    return -1;
  }
  Py_DECREF(done);
  return 0;
}

__attribute__((visibility("default"))) int odla_ipu_start_python(const odla_ipu_host* host,
                                                                 odla_ipu_bridge* bridge,
                                                                 char* message, size_t size) {
  int failed, started = !Py_IsInitialized();
  PyGILState_STATE state = PyGILState_UNLOCKED;
  if (started && start_interpreter(host->executable, message, size) != 0) return -1;
  if (!started) state = PyGILState_Ensure();
  host_copy = *host;
  host_copy.executable = host_copy.package_path = NULL; /* they are the caller's */
  odla_ipu_the_host = &host_copy;
  failed = connect(host->package_path, started, message, size);
  bridge->call = odla_ipu_call;
  bridge->op = odla_ipu_op;
  bridge->run = odla_ipu_run;
  if (started)
    PyEval_SaveThread(); /* other threads may call; this one takes the lock again as it does */
  else
    PyGILState_Release(state);
  return failed;
}
