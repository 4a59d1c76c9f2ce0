/*
 * Computations, executables, contexts and what is bound in them.
 * NULL handles and pointers are ODLA_INVALID_PARAM unless a comment allows them; so are handles of
 * what was destroyed.
 */
#ifndef ODLA_IPU_ODLA_COMPUTE_H
#define ODLA_IPU_ODLA_COMPUTE_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A graph of ops. */
typedef struct _odla_computation* odla_computation;

/** A computation compiled for a device. */
typedef struct _odla_executable* odla_executable;

/** What is bound for a run, and its options. */
typedef struct _odla_context* odla_context;

/** Where an option's value is; see odla_item_type. */
typedef struct _odla_item_value* odla_item_value;

/** A set of constants, stored apart from their computation. */
typedef struct _odla_constants_array* odla_constants_array;

/** What a run is for. */
typedef enum {
  ODLA_COMPUTE_DEFAULT = 0, /**< as ODLA_COMPUTE_INFERENCE */
  ODLA_COMPUTE_INFERENCE = 1,
  ODLA_COMPUTE_TRAINING = 2, /**< also changes the variables, so that the loss gets smaller */
} odla_compute_mode;

/**
 * Options of a computation (or, where noted, of a context) and what odla_item_value points to: a
 * bool takes one byte. ODLA_ASYNC_CALLBACK_FUNC is int (*)(void* arg, odla_status status), called
 * with ODLA_ASYNC_CALLBACK_ARG on the library's thread after the outputs are written.
 */
typedef enum {
  ODLA_DYNAMIC_BATCH = 0,        /**< bool: dimension 0 of the arguments varies from run to run */
  ODLA_MIN_BATCH_SIZE = 1,       /**< int32 */
  ODLA_MAX_BATCH_SIZE = 2,       /**< int32 */
  ODLA_OPT_BATCH_SIZE = 3,       /**< int32: the one to optimise for */
  ODLA_RUN_BATCH_SIZE = 4,       /**< int32, of a context: dimension 0 in the next runs */
  ODLA_DYNAMIC_SHAPE = 5,        /**< bool: shapes vary from run to run */
  ODLA_MIN_SHAPE = 6,            /**< by odla_SetValueShapeInfo */
  ODLA_MAX_SHAPE = 7,            /**< by odla_SetValueShapeInfo */
  ODLA_OPT_SHAPE = 8,            /**< by odla_SetValueShapeInfo */
  ODLA_DYNAMIC_VALUE = 9,        /**< bool: results' shapes depend on arguments' elements */
  ODLA_MIN_VALUE = 10,           /**< by odla_SetInputValueInfo */
  ODLA_MAX_VALUE = 11,           /**< by odla_SetInputValueInfo */
  ODLA_OPT_VALUE = 12,           /**< by odla_SetInputValueInfo */
  ODLA_BF16_MODE = 13,           /**< odla_bf16_mode */
  ODLA_FP16_MODE = 14,           /**< bool: compute in FLOAT16; bound memory keeps its types */
  ODLA_USE_SIM_MODE = 15,        /**< bool: simulate the device */
  ODLA_PROCESSOR_NUM = 16,       /**< int32: number of IPUs */
  ODLA_BATCHES_PER_STEP = 17,    /**< int32: batches that one run takes */
  ODLA_USE_DATA_TYPE = 18,       /**< odla_element_type: the precision to compute in */
  ODLA_LOAD_ENGINE_MODE = 19,    /**< bool: take a stored engine instead of compiling */
  ODLA_USE_DLA_CORE = 20,        /**< int32: not for IPUs */
  ODLA_QUANT_TABLE = 21,         /**< array of odla_value_quant_info */
  ODLA_QUANT_TABLE_SIZE = 22,    /**< odla_size_t: entries of it */
  ODLA_AGGREGATE_OPS = 23,       /**< bool, of a context */
  ODLA_ENABLE_ENGINE_CACHE = 24, /**< bool: keep compiled programs in ODLA_CACHE_DIR */
  ODLA_CACHE_DIR = 25,           /**< the text itself, not a pointer to it */
  ODLA_ASYNC_CALLBACK_FUNC = 26, /**< of a context: the function itself */
  ODLA_ASYNC_CALLBACK_ARG = 27,  /**< of a context: the pointer itself */
} odla_item_type;

/** How bfloat16 is used; the third name is spelt as ODLA has it. */
typedef enum {
  BF16_DISABLE = 0,
  BF16_ACCURACY_MODE = 1,
  BF16_PERFORMACE_MODE = 2,
  BF16_AUTO_MODE = 3,
} odla_bf16_mode;

/** Where a computation or executable is stored. */
typedef enum {
  ODLA_LOCATION_PATH = 0,   /**< location is the path of a file */
  ODLA_LOCATION_MEMORY = 1, /**< location is an address, size the bytes there */
  ODLA_LOCATION_URI = 2,    /**< location is a URI, file:///folder/name */
} odla_resource_location_type;

/**
 * A place to load from or to store to. location is a path, a file:// URI, or an address; size counts
 * for an address only: the bytes that are there.
 */
typedef struct {
  odla_resource_location_type location_type;
  const void* location;
  odla_size_t size;
} odla_resource_location;

/**
 * Stores a new, empty computation and makes it the current one of the calling thread: ops,
 * constants and arguments are added to the current computation.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_CreateComputation(odla_computation* computation);

/**
 * Compiles for the device (NULL: the default one) and stores the executable, which belongs to the
 * computation. Compiling twice gives the same executable.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_CompileComputation(
    const odla_computation computation, const odla_device device, odla_executable* executable);

/**
 * Reads a computation that odla_StoreComputation wrote, or an ONNX file, from a path, a file:// URI
 * or memory, and stores it; it becomes the current one. ODLA_FILE_NOT_EXIST when there is no file,
 * ODLA_INVALID_PARAM for a foreign, truncated or altered one.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_LoadComputation(
    odla_resource_location location, odla_computation* computation);

/**
 * Writes the computation, with its constants, to a path, a file:// URI or memory. Memory needs
 * odla_ipu_StoredSize(computation) bytes; where it has fewer, nothing is written: ODLA_MEM_ERROR.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_StoreComputation(
    odla_resource_location location, odla_computation computation);

/**
 * Prepares the computation for ODLA_COMPUTE_TRAINING. Its loss is the first output of one element of
 * floats; what is trained are its variables of floats, odla_CreateVariable. ODLA_INVALID_PARAM
 * without a loss or variables. See docs/training.md.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_DifferentiateComputation(
    odla_computation computation);

/**
 * Runs the computation with what is bound in the context, and returns when the outputs are written.
 * Compiles first where needed. device may be NULL: that of the computation.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_ExecuteComputation(
    const odla_computation computation, const odla_context context,
    const odla_compute_mode mode, odla_device device);

/**
 * Like odla_ExecuteComputation, but returns as soon as the work is queued. Completion calls the
 * function of ODLA_ASYNC_CALLBACK_FUNC; bound memory must stay valid until then.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_AsyncExecuteComputation(
    const odla_computation computation, const odla_context context,
    const odla_compute_mode mode, odla_device device);

/** Stores the number of arguments. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetNumOfArgsFromComputation(
    const odla_computation computation, odla_uint32* num_args);

/**
 * Stores the arg_idx-th argument in order of creation; NULL and ODLA_INVALID_PARAM for an index out
 * of range.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetArgFromComputationByIdx(
    const odla_computation computation, const odla_uint32 arg_idx, odla_value* arg_value);

/** Stores the number of outputs; a value that is an output twice counts twice. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetNumOfOutputsFromComputation(
    const odla_computation computation, odla_uint32* num_outputs);

/**
 * Stores the output_idx-th output in the order of odla_SetValueAsOutput; NULL and
 * ODLA_INVALID_PARAM for an index out of range.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetOutputFromComputationByIdx(
    const odla_computation computation, const odla_uint32 output_idx, odla_value* output_value);

/**
 * Frees the computation with its values, executable and constants. Its contexts may be destroyed
 * before or after it.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_DestroyComputation(odla_computation computation);

/**
 * Sets an option, before or after the ops are added. value points to what odla_item_type names and
 * is read during the call. ODLA_INVALID_PARAM for a context's item.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetComputationItem(
    odla_computation computation, odla_item_type type, odla_item_value value);

/**
 * Declares the range of an argument's shape: type is ODLA_MIN_SHAPE, ODLA_MAX_SHAPE or
 * ODLA_OPT_SHAPE.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetValueShapeInfo(
    odla_value value, odla_item_type type, odla_value_shape value_shape);

/**
 * Declares the range of an integer argument's elements: type is ODLA_MIN_VALUE, ODLA_MAX_VALUE or
 * ODLA_OPT_VALUE, value_input points to odla_int32.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetInputValueInfo(
    odla_value value, odla_item_type type, odla_item_value value_input);

/** Sets the shape that an argument has in this context's next runs. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetRuntimeShape(
    odla_context context, odla_value value, odla_value_shape value_shape);

/**
 * Stores the shape of an argument or output in this context: before a run as far as the shapes of
 * the arguments determine it.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetRuntimeShape(
    odla_context context, odla_value value, odla_value_shape* value_shape_ptr);

/** Stores a new, empty set of constants, to be freed by odla_DestroyConstantsArray. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_CreateConstantsArray(
    odla_constants_array* constants_array);

/** Reads a set of constants from a file; ODLA_FILE_NOT_EXIST when there is none. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_LoadConstantsArray(
    const odla_char* file_name, odla_constants_array* constants_array);

/** Writes a set of constants to a file. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_StoreConstantsArray(
    const odla_char* file_name, const odla_constants_array constants_array);

/** Frees a set of constants. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_DestroyConstantsArray(
    odla_constants_array constants_array);

/**
 * Reads an executable that odla_StoreExecutable wrote, from a path, a file:// URI or memory, for a
 * device; NULL is the current or default one. Its program becomes the current computation.
 * ODLA_FILE_NOT_EXIST when there is no file, ODLA_INVALID_PARAM for a foreign, truncated or altered
 * one.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_LoadExecutable(
    odla_resource_location location, odla_device device, odla_executable* executable);

/**
 * Writes the executable, with its constants, to a path, a file:// URI or memory. Memory needs
 * odla_ipu_StoredSize(executable) bytes; where it has fewer, nothing is written: ODLA_MEM_ERROR.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_StoreExecutable(
    odla_resource_location location, odla_executable executable);

/**
 * Runs the executable for inference with what is bound in the context, and returns when the outputs
 * are written.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_LaunchExecutable(
    odla_executable executable, odla_context context);

/**
 * Queues a run of the executable; constants_array (NULL: none) replaces constants of the same ids.
 * Completion as for odla_AsyncExecuteComputation.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_AsyncLaunchExecutable(
    const odla_executable executable, const odla_constants_array constants_array,
    const odla_context context, const odla_compute_mode mode, odla_device device);

/** Stores the number of arguments. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetNumOfArgsFromExecutable(
    const odla_executable executable, odla_uint32* num_args);

/** Stores the arg_idx-th argument; NULL and ODLA_INVALID_PARAM for an index out of range. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetArgFromExecutableByIdx(
    const odla_executable executable, const odla_uint32 arg_idx, odla_value* arg_value);

/** Stores the number of outputs. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetNumOfOutputsFromExecutable(
    const odla_executable executable, odla_uint32* num_outputs);

/** Stores the output_idx-th output; NULL and ODLA_INVALID_PARAM for an index out of range. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetOutputFromExecutableByIdx(
    const odla_executable executable, const odla_uint32 output_idx, odla_value* output_value);

/** Frees the executable; with one that was loaded, its program too. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_DestroyExecutable(odla_executable executable);

/**
 * Stores a new context: what is bound for one run. Threads that run at the same time use one each.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_CreateContext(odla_context* context);

/** Sets an option of the runs of this context. value is read during the call. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetContextItem(
    odla_context context, odla_item_type type, odla_item_value value);

/** Frees the context; what was bound stays the caller's. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_DestroyContext(odla_context context);

/**
 * Binds memory to an argument: one element after the other, the last dimension fastest, in the
 * argument's declared type. The pointer is kept and read by each run until it is bound anew.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BindToArgument(
    odla_value value, const odla_void* data_ptr, odla_context context);

/** odla_BindToArgument for the argument of that id; ODLA_INVALID_PARAM when there is none. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BindToArgumentById(
    const odla_value_id value_id, const odla_void* data_ptr, odla_context context);

/** Binds the data of a value to the argument of that id. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BindValueToArgumentById(
    const odla_value_id value_id, odla_value data, odla_context context);

/** Binds the memory that runs write an output to, laid out as in odla_BindToArgument. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BindToOutput(
    odla_value value, odla_void* data_ptr, odla_context context);

/**
 * odla_BindToOutput for the output of that id. For a value that is an output n times, n calls bind
 * n memories.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BindToOutputById(
    const odla_value_id value_id, odla_void* data_ptr, odla_context context);

/** Lets runs write the output of that id to the data of a value. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_BindValueToOutputById(
    const odla_value_id value_id, odla_value data, odla_context context);

/** odla_SetRuntimeShape with an element type, which must be the declared one. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_SetRuntimeValueType(
    odla_context context, odla_value value, odla_value_type value_type);

/** odla_GetRuntimeShape with the declared element type. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetRuntimeValueType(
    odla_context context, odla_value value, odla_value_type* value_type_ptr);

/** Stores the number of outputs that are bound in this context. */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetRuntimeNumOfOutputs(
    odla_context context, odla_uint32* num_output_ptr);

/**
 * Copies the elements of a value into data_ptr: with a context, an output of its last run; with
 * NULL, a value of interpreted execution, which is evaluated now.
 */
ODLA_API_EXPORT odla_status ODLA_API_CALL odla_GetValueData(
    const odla_value value, odla_void* data_ptr, odla_context context);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_ODLA_COMPUTE_H */
