/*
 * What the C library and its Python side call of each other.
 *
 * The library (library/, C++) owns handles, bindings, threads and errors and knows nothing of
 * Python.  Python (entries.py) owns graphs and programs; it is called through the two functions of
 * odla_ipu_bridge.  Objects of the other side are known by keys: numbers, never used twice.
 *
 * Lines between "cdef" and "end of cdef" are read by cffi too.
 */
#ifndef ODLA_IPU_BRIDGE_H
#define ODLA_IPU_BRIDGE_H

#include <ODLA/odla_ipu.h>

#define ODLA_IPU_MAX_RESULTS ODLA_MAX_OUTPUTS

/* cdef */

/* One argument of a call. */
typedef union {
  int64_t number;
  double real;
  const void* pointer;
} odla_ipu_slot;

/* A value that Python has made. */
typedef struct {
  int64_t key;
  odla_value_type type;
} odla_ipu_result;

/*
 * What a call gives.  message, for a failure, is valid until the thread calls again.  address and
 * size describe memory that Python keeps: until the object it belongs to goes, or the thread calls
 * again, as the function says.
 */
typedef struct {
  int32_t status;
  const char* message;
  int64_t number;
  double real;
  const void* address;
  int64_t size;
  int64_t results_size;
  odla_ipu_result results[64];
} odla_ipu_reply;

/* Values as keys, for odla_values. */
typedef struct {
  int64_t size;
  int64_t keys[64];
} odla_ipu_values;

/* Ids as texts (NULL: none), for odla_value_ids. */
typedef struct {
  int64_t size;
  const char* texts[64];
} odla_ipu_ids;

/* An option of a device or a trace. */
typedef struct {
  const char* key;
  const char* value;
} odla_ipu_pair;

/* Ports of a program: its arguments and outputs. */
typedef struct {
  const char* id;
  odla_value_type type;
  int64_t key;
} odla_ipu_port;

/*
 * One run.  Memory of inputs and outputs is in their declared types.  shapes are those of the
 * inputs where they are open, or NULL.  stamp changes whenever any of it does, so that Python may
 * keep what it has prepared.  output_shapes get the results' true shapes.
 */
typedef struct {
  int64_t program;
  int64_t context;
  int64_t stamp;
  int64_t device;
  int64_t batch;
  int64_t constants;
  int64_t version_of_program;
  int32_t mode;
  int32_t num_inputs;
  int32_t num_outputs;
  const void* const* inputs;
  void* const* outputs;
  const odla_value_shape* shapes;
  odla_value_shape* output_shapes;
  /* The bytes that there are, for values in place of memory; -1 for memory of the program's. */
  const int64_t* input_bytes;
  const int64_t* output_bytes;
} odla_ipu_job;

/* Functions of Python, by number; entries.py says what their slots are. */
enum {
  ODLA_IPU_CREATE_COMPUTATION,
  ODLA_IPU_RELEASE,
  ODLA_IPU_CREATE_ARGUMENT,
  ODLA_IPU_CREATE_CONSTANT,
  ODLA_IPU_CREATE_VALUE,
  ODLA_IPU_CREATE_VARIABLE,
  ODLA_IPU_SET_VALUE_DATA,
  ODLA_IPU_VALUE_DATA,
  ODLA_IPU_CLONE_VALUE,
  ODLA_IPU_RELEASE_VALUE,
  ODLA_IPU_SET_OUTPUT,
  ODLA_IPU_SET_ITEM,
  ODLA_IPU_SET_SHAPE_INFO,
  ODLA_IPU_SET_VALUE_INFO,
  ODLA_IPU_COMPILE,
  ODLA_IPU_RUNTIME_SHAPES,
  ODLA_IPU_RELEASE_CONTEXT,
  ODLA_IPU_CONTEXT_OUTPUT,
  ODLA_IPU_STORE,
  ODLA_IPU_EXPORT,
  ODLA_IPU_LOAD,
  ODLA_IPU_PORTS,
  ODLA_IPU_DIFFERENTIATE,
  ODLA_IPU_BEGIN_IF,
  ODLA_IPU_ENTER_BRANCH,
  ODLA_IPU_END_IF,
  ODLA_IPU_BEGIN_LOOP,
  ODLA_IPU_LOOP_VARIABLE,
  ODLA_IPU_END_LOOP,
  ODLA_IPU_CUSTOM_LAYOUT,
  ODLA_IPU_CUSTOM_OP,
  ODLA_IPU_CONSTANTS_CREATE,
  ODLA_IPU_CONSTANTS_LOAD,
  ODLA_IPU_CONSTANTS_STORE,
  ODLA_IPU_CONSTANTS_SET,
  ODLA_IPU_ALLOCATE_DEVICE,
  ODLA_IPU_DEVICE_INFO,
  ODLA_IPU_INIT_DEVICE,
  ODLA_IPU_PROFILER_START,
  ODLA_IPU_PROFILER_STOP,
  ODLA_IPU_PROFILER_TRACE,
  ODLA_IPU_TRACE_JSON,
  ODLA_IPU_DUMP,
  ODLA_IPU_VERSION_TEXT,
  ODLA_IPU_SHUT_DOWN,
  ODLA_IPU_FUNCTIONS
};

/* end of cdef */

/* What Python gives to the library.  All of them may be called from any thread. */
typedef struct {
  /* Calls a function by its number. */
  void (*call)(int32_t function, const odla_ipu_slot* slots, odla_ipu_reply* reply);
  /* Adds an op: its number, the current computation (0: interpreted), arguments, ids. */
  void (*op)(int32_t op, int64_t current, const odla_ipu_slot* slots, const odla_ipu_ids* ids,
             odla_ipu_reply* reply);
  /*
   * Runs a program.  number of the reply is not 0 where many threads are done sooner when they do
   * not take turns at it.  Runs of one context must not overlap.
   */
  void (*run)(const odla_ipu_job* job, odla_ipu_reply* reply);
} odla_ipu_bridge;

/* What the library gives to Python. */
typedef struct {
  /* Names of the ops, by number. */
  const char* const* ops;
  int32_t num_ops;
  /* Where Python is: its executable, or NULL; the folder that holds the package. */
  const char* executable;
  const char* package_path;
  /* Hands a message to the program's logger. */
  void (*log)(int32_t level, const char* message);
  /* Whether the program has set a logger of its own. */
  int32_t (*has_logger)(void);
  /* Ends the threads of the library, before Python ends. */
  void (*shut_down)(void);
} odla_ipu_host;

/*
 * Exported by the extension module that cffi builds: starts Python unless it runs, imports the
 * Python side and fills bridge.  Returns 0, or writes to message, of size bytes.
 */
typedef int (*odla_ipu_start)(const odla_ipu_host* host, odla_ipu_bridge* bridge, char* message,
                              size_t size);

#endif /* ODLA_IPU_BRIDGE_H */
