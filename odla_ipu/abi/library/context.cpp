// Contexts: what is bound, and runs with it.  odla_compute.h
#include <cstring>

#include "queue.h"
#include "support.h"
#include "task.h"

namespace odla_ipu {

Context::~Context() {
  if (!ran || !python_is_running()) return;
  odla_ipu_slot list[1] = {slot(number)};
  odla_ipu_reply reply;
  python().call(ODLA_IPU_RELEASE_CONTEXT, list, &reply);
}

namespace {

std::atomic<int64_t> contexts{0};

// Counts bindings, so that of two for one port the later one counts.
std::atomic<uint64_t> bindings{0};

// The computation that an id leads to: the one that the context ran last, the current one, any
// other.  visit gets each in turn until it returns true.  The context must be locked.
template <class Visit>
bool visit_candidates(const Context& context, Visit&& visit) {
  auto last = context.computation.lock();
  if (last && visit(*last)) return true;
  auto current = current_computation();
  if (current && current != last && visit(*current)) return true;
  for (auto& other : live_computations())
    if (other != last && other != current && visit(*other)) return true;
  return false;
}

// How many ports have the id.  Fails for an id that no live computation has, and for NULL where
// there are elements.
size_t count_ports(const Context& context, const std::string& id, bool is_input, const void* data,
                   bool has_value) {
  size_t count = 0;
  odla_status status = ODLA_INVALID_PARAM;
  std::string message = std::string("no computation has an ") + (is_input ? "argument" : "output") +
                        " of the id '" + id + "'";
  bool found = visit_candidates(context, [&](Computation& computation) {
    std::lock_guard<std::mutex> lock(computation.mutex);
    const Ports& ports = is_input ? computation.arguments : computation.outputs;
    const auto& indices = ports.find(id);
    count = indices.size();
    if (count && data == nullptr && !has_value && bytes_of(ports.values[indices[0]]->type) != 0)
      invalid("data_ptr is NULL; accepted: the address of the elements of '" + id + "'");
    if (!count && status == ODLA_INVALID_PARAM && computation.first_status != ODLA_SUCCESS) {
      status = computation.first_status;
      message += "; an op before it failed: " + computation.first_failure;
    }
    return count != 0;
  });
  if (!found) throw Failure(status, message);
  return count;
}

// Later bindings of a port replace the former: `place` tells those of one id apart.
void set_binding(std::vector<Binding>& list, size_t place, void* data,
          const std::shared_ptr<Value>& value) {
  if (list.size() <= place) list.resize(place + 1);
  Binding& binding = list[place];
  binding.bound = true;
  binding.data = data;
  binding.value = value;
  binding.order = ++bindings;
}

bool same_shapes(const std::vector<odla_value_shape>& a, const std::vector<odla_value_shape>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].size != b[i].size) return false;
    for (int axis = 0; axis < a[i].size; ++axis)
      if (a[i].dims[axis] != b[i].dims[axis]) return false;
  }
  return true;
}

void bind_by_id(const odla_value_id value_id, void* data, const std::shared_ptr<Value>& value,
                odla_context handle, bool is_input) {
  auto context = require_context(handle);
  if (value_id == nullptr) invalid("value_id is NULL; accepted: the id of a value");
  std::string id = Id::read(value_id).text;
  std::lock_guard<std::mutex> lock(context->mutex);
  size_t count = count_ports(*context, id, is_input, data, value != nullptr);
  if (is_input) {
    set_binding(context->inputs_by_id[id], 0, data, value);
  } else {
    // An id that is an output n times takes n memories, one after the other.
    size_t& next = context->next_output[id];
    set_binding(context->outputs_by_id[id], next, data, value);
    next = (next + 1) % count;
  }
}

void bind_by_value(odla_value given, const void* data, odla_context handle, bool is_input) {
  auto context = require_context(handle);
  auto value = require_value(given, "value");
  if (data == nullptr && bytes_of(value->type) != 0)
    invalid("data_ptr is NULL; accepted: the address of the elements of '" + value->id.text + "'");
  auto owner = value->computation.lock();
  if (!owner) invalid("the value '" + value->id.text + "' belongs to no computation");
  std::lock_guard<std::mutex> lock(context->mutex);
  if (is_input) {
    if (value->argument < 0)
      invalid("the value '" + value->id.text + "' is no argument; accepted: what "
              "odla_CreateArgument gave");
    set_binding(context->inputs_by_key[value->key], 0, const_cast<void*>(data), nullptr);
    return;
  }
  size_t count = 0;
  {
    std::lock_guard<std::mutex> owners(owner->mutex);
    for (auto& output : owner->outputs.values) count += output->key == value->key;
  }
  if (count == 0)
    invalid("the value '" + value->id.text + "' is no output; call odla_SetValueAsOutput first");
  size_t& next = context->next_output_of[value->key];
  set_binding(context->outputs_by_key[value->key], next, const_cast<void*>(data), nullptr);
  next = (next + 1) % count;
}

// A run, with all that it needs: what is bound later does not change it.
struct Run {
  std::shared_ptr<Computation> computation;
  std::shared_ptr<Context> context;
  std::shared_ptr<Object> device, constants;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  std::vector<odla_value_shape> shapes, true_shapes;
  std::vector<std::shared_ptr<Value>> read, stored;  // values bound in place of memory, by index
  std::vector<std::vector<char>> copies;             // of the elements of those that are read
  std::vector<int64_t> input_bytes, output_bytes;    // of all of them; -1: of memory
  std::shared_ptr<Object> former_device, former_constants;  // freed with no lock held
  odla_ipu_job job{};

  void collect();
  void use_values();
  void stamp(odla_compute_mode mode);
};

const Binding* later(const Binding* a, const Binding* b) {
  if (!a || !a->bound) return b && b->bound ? b : nullptr;
  if (!b || !b->bound) return a;
  return a->order > b->order ? a : b;
}

const Binding* place_of(const std::vector<Binding>* list, size_t place) {
  return list && place < list->size() ? &(*list)[place] : nullptr;
}

template <class Map, class Key>
const std::vector<Binding>* list_of(const Map& map, const Key& key) {
  if (map.empty()) return nullptr;
  auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

// What is bound by an id: under its own text, or as compilers normalise it.
const std::vector<Binding>* list_of_id(const std::map<std::string, std::vector<Binding>>& map,
                                       const Id& id) {
  if (map.empty() || !id.given) return nullptr;
  auto found = map.find(id.text);
  if (found == map.end()) found = map.find(normalised(id.text));
  return found == map.end() ? nullptr : &found->second;
}

// Copied, since the value may be set anew or released while the run is queued.
std::vector<char> data_of(const Value& value) {
  Call call;
  call(ODLA_IPU_VALUE_DATA, slot(value.key));
  auto data = static_cast<const char*>(call.reply.address);
  return std::vector<char>(data, data + call.reply.size);
}

void* memory_of(Value& value) {
  int64_t bytes = bytes_of(value.type);
  if (bytes < 0) invalid("the value '" + value.id.text + "' has an open shape");
  std::lock_guard<std::mutex> lock(value.mutex);
  value.own.resize(static_cast<size_t>(bytes));
  return value.own.data();
}

int place_among(const Ports& ports, size_t index) {
  // The how-manieth output of its value it is.
  int place = 0;
  for (size_t other = 0; other < index; ++other)
    place += ports.values[other]->id.text == ports.values[index]->id.text &&
             ports.values[other]->id.given == ports.values[index]->id.given;
  return place;
}

int place_among_keys(const Ports& ports, size_t index) {
  int place = 0;
  for (size_t other = 0; other < index; ++other)
    place += ports.values[other]->key == ports.values[index]->key;
  return place;
}

odla_value_shape undefined_shape() {
  odla_value_shape shape{};
  shape.size = -1;
  return shape;
}

odla_value_shape shape_in(const Context& context, const Value& argument) {
  auto found = context.shapes.find(argument.key);
  return found == context.shapes.end() ? undefined_shape() : found->second;
}

void check_element_type(const Value& bound, const Value& port) {
  if (bound.type.element_type != port.type.element_type)
    throw Failure(ODLA_UNSUPPORTED_DATATYPE,
                  "the value '" + bound.id.text + "' has element type " +
                      std::to_string(bound.type.element_type) + "; accepted: that of '" +
                      port.id.text + "', " + std::to_string(port.type.element_type));
}

// What is bound to each argument and output.
void Run::collect() {
  std::lock_guard<std::mutex> context_lock(context->mutex);
  std::lock_guard<std::mutex> lock(computation->mutex);
  const Ports& arguments = computation->arguments;
  const Ports& results = computation->outputs;
  if (results.values.empty()) {
    if (computation->first_status != ODLA_SUCCESS)
      throw Failure(computation->first_status, computation->first_failure);
    invalid("the computation has no outputs; call odla_SetValueAsOutput");
  }
  std::string missing;
  for (auto& argument : arguments.values) {
    const Binding* binding = later(place_of(list_of_id(context->inputs_by_id, argument->id), 0),
                                   place_of(list_of(context->inputs_by_key, argument->key), 0));
    if (!binding) missing += (missing.empty() ? "'" : ", '") + argument->id.text + "'";
    inputs.push_back(binding ? binding->data : nullptr);
    read.push_back(binding ? binding->value : nullptr);
    if (read.back()) check_element_type(*read.back(), *argument);
    if (!context->shapes.empty()) shapes.push_back(shape_in(*context, *argument));
  }
  if (!missing.empty())
    invalid("nothing is bound to the argument " + missing + "; call odla_BindToArgument");
  for (size_t index = 0; index < results.values.size(); ++index) {
    const Value& value = *results.values[index];
    const Binding* binding =
        later(place_of(list_of_id(context->outputs_by_id, value.id), place_among(results, index)),
              place_of(list_of(context->outputs_by_key, value.key),
                       place_among_keys(results, index)));
    outputs.push_back(binding ? binding->data : nullptr);
    stored.push_back(binding ? binding->value : nullptr);
    if (stored.back()) check_element_type(*stored.back(), value);
  }
  computation->compiled = true;
  job.version_of_program = computation->version;
}

// The memory of values that are bound.
void Run::use_values() {
  input_bytes.assign(inputs.size(), -1);
  output_bytes.assign(outputs.size(), -1);
  for (size_t index = 0; index < read.size(); ++index) {
    if (!read[index]) continue;
    copies.push_back(data_of(*read[index]));
    inputs[index] = copies.back().data();
    input_bytes[index] = static_cast<int64_t>(copies.back().size());
  }
  for (size_t index = 0; index < stored.size(); ++index) {
    if (!stored[index]) continue;
    outputs[index] = memory_of(*stored[index]);
    output_bytes[index] = static_cast<int64_t>(stored[index]->own.size());
  }
}

// Notes in the context what this run uses, and whether the last one did the same.
void Run::stamp(odla_compute_mode mode) {
  std::lock_guard<std::mutex> lock(context->mutex);
  Context& last = *context;
  bool same = last.computation.lock() == computation && last.last_inputs == inputs &&
              last.last_outputs == outputs && same_shapes(last.last_shapes, shapes) &&
              last.last_device == device && last.last_constants == constants &&
              last.last_mode == mode && last.last_version == job.version_of_program &&
              copies.empty();
  if (!same) {
    ++last.stamp;
    last.computation = computation;
    last.last_inputs = inputs;
    last.last_outputs = outputs;
    last.last_shapes = shapes;
    former_device = last.last_device;
    last.last_device = device;
    former_constants = last.last_constants;
    last.last_constants = constants;
    last.last_mode = mode;
    last.last_version = job.version_of_program;
  }
  for (auto& item : last.next_output) item.second = 0;
  for (auto& item : last.next_output_of) item.second = 0;
  last.ran = true;
  true_shapes.assign(outputs.size(), undefined_shape());
  job.program = computation->key;
  job.context = last.number;
  job.stamp = last.stamp;
  job.device = device ? device->key : 0;
  job.batch = last.batch;
  job.constants = constants ? constants->key : 0;
  job.mode = mode;
  job.num_inputs = static_cast<int32_t>(inputs.size());
  job.num_outputs = static_cast<int32_t>(outputs.size());
  job.inputs = inputs.data();
  job.outputs = outputs.data();
  job.shapes = shapes.empty() ? nullptr : shapes.data();
  job.output_shapes = true_shapes.data();
  job.input_bytes = input_bytes.data();
  job.output_bytes = output_bytes.data();
}

std::unique_ptr<Run> prepare(const std::shared_ptr<Computation>& computation,
                             const std::shared_ptr<Context>& context, odla_compute_mode mode,
                             const odla_device device, const odla_constants_array constants) {
  if (mode < ODLA_COMPUTE_DEFAULT || mode > ODLA_COMPUTE_TRAINING)
    invalid("mode is " + std::to_string(mode) + "; accepted: a member of odla_compute_mode");
  std::unique_ptr<Run> run(new Run);
  run->computation = computation;
  run->context = context;
  if (device) run->device = require<Device>(device, "device", "odla_AllocateDevice");
  if (constants)
    run->constants =
        require<ConstantsArray>(constants, "constants_array", "odla_CreateConstantsArray");
  run->collect();
  run->use_values();
  run->stamp(mode);
  return run;
}

void execute(Run& run) {
  odla_ipu_reply reply;
  reply.status = ODLA_INTERNAL_LOGIC_ERR;
  reply.message = nullptr;
  reply.number = 0;
  std::string message;
  const odla_ipu_bridge& side = python();
  {
    WithoutInterpreterLock unlocked;
    // Two threads may use one context, and each run uses the memory that is bound in it.
    std::lock_guard<std::mutex> alone(run.context->running);
    // Threads line up here rather than for Python's lock, which they would take from each other.
    run.computation->turn.take([&] {
      side.run(&run.job, &reply);
      // Another thread may do this, and its next call ends the life of the message.
      if (reply.message) message = reply.message;
      return reply.number != 0;
    });
    if (reply.message) reply.message = message.c_str();
  }
  check_reply(reply);
  engine_is_loaded();
  for (size_t index = 0; index < run.stored.size(); ++index) {
    auto& value = run.stored[index];
    if (!value) continue;
    Call()(ODLA_IPU_SET_VALUE_DATA, slot(value->key),
           slot(static_cast<const void*>(value->own.data())), slot(int64_t{1}));
  }
  std::lock_guard<std::mutex> lock(run.context->mutex);
  run.context->true_shapes.swap(run.true_shapes);
  run.context->true_shapes_stamp = run.job.stamp;
}

void notify(int (*callback)(void*, odla_status), void* argument, odla_status status) {
  if (!callback) return;
  try {
    callback(argument, status);
  } catch (...) {
    log_message(ODLA_LOG_LEVEL_ERROR, "odla_ipu", 0, __func__,
                "the function of ODLA_ASYNC_CALLBACK_FUNC threw an exception");
  }
}

odla_status run_async(const char* function, const std::shared_ptr<Computation>& computation,
                      const odla_context handle, odla_compute_mode mode, const odla_device device,
                      const odla_constants_array constants) {
  std::shared_ptr<Context> context;
  int (*callback)(void*, odla_status) = nullptr;
  void* argument = nullptr;
  odla_status status = guarded(function, [&] {
    context = require_context(handle);
    {
      std::lock_guard<std::mutex> lock(context->mutex);
      callback = context->callback;
      argument = context->callback_argument;
    }
    std::shared_ptr<Run> run = prepare(computation, context, mode, device, constants);
    std::shared_ptr<Queue> queue;
    {
      std::lock_guard<std::mutex> lock(computation->mutex);
      if (!computation->queue) computation->queue = Queue::make();
      queue = computation->queue;
    }
    std::string name = function;
    queue->add([run, callback, argument, name]() mutable {
      odla_status status = guarded(name.c_str(), [&] { execute(*run); });
      run = nullptr;  // before the callback: it may destroy what the run holds
      notify(callback, argument, status);
    });
  });
  // Each call leads to one call of the function, those that fail at once too.
  if (status != ODLA_SUCCESS) notify(callback, argument, status);
  return status;
}

// Whether a run is queued though it was not asked for, as programs of the predecessor's may want.
bool queues_runs(const odla_computation handle, const odla_context context_handle) {
  auto computation = find<Computation>(handle);
  if (!computation || !computation->asynchronous) return false;
  auto context = find<Context>(context_handle);
  if (!context) return false;
  std::lock_guard<std::mutex> lock(context->mutex);
  return context->callback != nullptr;
}

// The computation or executable is none: the function of the context is told so, too.
odla_status fail_async(const odla_context handle, odla_status status) {
  auto context = find<Context>(handle);
  if (!context) return status;
  std::unique_lock<std::mutex> lock(context->mutex);
  auto callback = context->callback;
  void* argument = context->callback_argument;
  lock.unlock();
  notify(callback, argument, status);
  return status;
}

}  // namespace

}  // namespace odla_ipu

using namespace odla_ipu;

extern "C" {

odla_status odla_CreateContext(odla_context* context) {
  return guarded(__func__, [&] {
    require_pointer(context, "context");
    *context = static_cast<odla_context>(insert(std::make_shared<Context>(++contexts)));
  });
}

odla_status odla_DestroyContext(odla_context context) {
  return guarded(__func__, [&] {
    if (!remove<Context>(context)) require_context(context);
  });
}

odla_status odla_SetContextItem(odla_context context, odla_item_type type, odla_item_value value) {
  return guarded(__func__, [&] {
    auto target = require_context(context);
    std::lock_guard<std::mutex> lock(target->mutex);
    switch (static_cast<int>(type)) {
      case ODLA_ASYNC_CALLBACK_FUNC:
        target->callback = reinterpret_cast<int (*)(void*, odla_status)>(value);
        return;
      case ODLA_ASYNC_CALLBACK_ARG:
        target->callback_argument = value;
        return;
      case ODLA_RUN_BATCH_SIZE: {
        require_pointer(value, "value");
        odla_int32 batch;
        std::memcpy(&batch, value, sizeof batch);
        if (batch < 1)
          invalid("ODLA_RUN_BATCH_SIZE is " + std::to_string(batch) + "; accepted: 1 and more");
        if (target->batch != batch) ++target->stamp;
        target->batch = batch;
        return;
      }
      case ODLA_AGGREGATE_OPS:
        require_pointer(value, "value");
        return;  // a program of an IPU is always one
      default:
        if (type >= ODLA_DYNAMIC_BATCH && type <= ODLA_CACHE_DIR)
          invalid("item " + std::to_string(type) + " is one of a computation; pass it to "
                  "odla_SetComputationItem");
        throw Failure(ODLA_FAILURE, "there is no item " + std::to_string(type) +
                                        "; accepted: a member of odla_item_type");
    }
  });
}

odla_status odla_BindToArgument(odla_value value, const odla_void* data_ptr, odla_context context) {
  return guarded(__func__, [&] { bind_by_value(value, data_ptr, context, true); });
}

odla_status odla_BindToOutput(odla_value value, odla_void* data_ptr, odla_context context) {
  return guarded(__func__, [&] { bind_by_value(value, data_ptr, context, false); });
}

odla_status odla_BindToArgumentById(const odla_value_id value_id, const odla_void* data_ptr,
                                    odla_context context) {
  return guarded(__func__, [&] {
    bind_by_id(value_id, const_cast<void*>(data_ptr), nullptr, context, true);
  });
}

odla_status odla_BindToOutputById(const odla_value_id value_id, odla_void* data_ptr,
                                  odla_context context) {
  return guarded(__func__, [&] { bind_by_id(value_id, data_ptr, nullptr, context, false); });
}

odla_status odla_BindValueToArgumentById(const odla_value_id value_id, odla_value data,
                                         odla_context context) {
  return guarded(__func__, [&] {
    bind_by_id(value_id, nullptr, require_value(data, "data"), context, true);
  });
}

odla_status odla_BindValueToOutputById(const odla_value_id value_id, odla_value data,
                                       odla_context context) {
  return guarded(__func__, [&] {
    auto value = require_value(data, "data");
    if (!value->interpreted)
      invalid("the value '" + value->id.text + "' belongs to a computation; accepted: one of "
              "odla_CreateValue");
    bind_by_id(value_id, nullptr, value, context, false);
  });
}

odla_status odla_ExecuteComputation(const odla_computation computation, const odla_context context,
                                    const odla_compute_mode mode, odla_device device) {
  if (queues_runs(computation, context))
    return odla_AsyncExecuteComputation(computation, context, mode, device);
  return guarded(__func__, [&] {
    auto target = require_computation(computation);
    execute(*prepare(target, require_context(context), mode, device, nullptr));
  });
}

odla_status odla_LaunchExecutable(odla_executable executable, odla_context context) {
  return guarded(__func__, [&] {
    auto target = program_of(executable);
    execute(*prepare(target, require_context(context), ODLA_COMPUTE_INFERENCE, nullptr, nullptr));
  });
}

odla_status odla_AsyncExecuteComputation(const odla_computation computation,
                                         const odla_context context, const odla_compute_mode mode,
                                         odla_device device) {
  std::shared_ptr<Computation> target;
  odla_status status = guarded(__func__, [&] { target = require_computation(computation); });
  return status == ODLA_SUCCESS ? run_async(__func__, target, context, mode, device, nullptr)
                                : fail_async(context, status);
}

odla_status odla_AsyncLaunchExecutable(const odla_executable executable,
                                       const odla_constants_array constants_array,
                                       const odla_context context, const odla_compute_mode mode,
                                       odla_device device) {
  std::shared_ptr<Computation> target;
  odla_status status = guarded(__func__, [&] { target = program_of(executable); });
  return status == ODLA_SUCCESS
             ? run_async(__func__, target, context, mode, device, constants_array)
             : fail_async(context, status);
}

}  // extern "C"

// Shapes and results of runs.

namespace {

// The shape that the value has in runs of the context.
odla_value_shape runtime_shape(const std::shared_ptr<Context>& context,
                               const std::shared_ptr<Value>& value) {
  auto owner = value->computation.lock();
  if (!owner) invalid("the value '" + value->id.text + "' belongs to no computation");
  std::vector<odla_value_shape> shapes;
  size_t output = 0;
  bool is_output = false;
  int64_t batch = 0;
  {
    std::lock_guard<std::mutex> context_lock(context->mutex);
    std::lock_guard<std::mutex> lock(owner->mutex);
    auto own = context->shapes.find(value->key);
    if (own != context->shapes.end()) return own->second;
    if (!context->shapes.empty())
      for (auto& argument : owner->arguments.values)
        shapes.push_back(shape_in(*context, *argument));
    auto& outputs = owner->outputs.values;
    while (output < outputs.size() && outputs[output]->key != value->key) ++output;
    is_output = output < outputs.size();
    if (!is_output && value->argument < 0)
      invalid("the value '" + value->id.text + "' is neither an argument nor an output");
    bool ran = context->computation.lock() == owner && output < context->true_shapes.size() &&
               context->true_shapes_stamp == context->stamp &&
               same_shapes(context->last_shapes, shapes);
    if (is_output && ran && context->true_shapes[output].size >= 0)
      return context->true_shapes[output];
    batch = context->batch;
  }
  Call call;
  call(ODLA_IPU_RUNTIME_SHAPES, slot(owner->key), slot(batch),
       slot(static_cast<const void*>(shapes.empty() ? nullptr : shapes.data())),
       slot(is_output ? static_cast<int64_t>(output) : int64_t{-1}),
       slot(static_cast<int64_t>(value->argument)));
  return call.reply.results[0].type.shape;
}

void set_runtime_shape(odla_context handle, odla_value given, const odla_value_shape& shape) {
  auto context = require_context(handle);
  auto value = require_value(given, "value");
  check_shape(shape, "value_shape", false);
  if (value->argument < 0)
    invalid("the value '" + value->id.text + "' is no argument; shapes of others follow from those");
  const odla_value_shape& declared = value->type.shape;
  bool fits = shape.size == declared.size;
  for (int axis = 0; fits && axis < shape.size; ++axis)
    fits = shape.dims[axis] >= 0;
  if (!fits)
    invalid("value_shape is " + shape_text(shape) + " for an argument declared as " +
            shape_text(declared) + "; accepted: sizes of that rank");
  std::lock_guard<std::mutex> lock(context->mutex);
  context->shapes[value->key] = shape;
  ++context->stamp;
}

}  // namespace

extern "C" {

odla_status odla_SetRuntimeShape(odla_context context, odla_value value,
                                 odla_value_shape value_shape) {
  return guarded(__func__, [&] { set_runtime_shape(context, value, value_shape); });
}

odla_status odla_GetRuntimeShape(odla_context context, odla_value value,
                                 odla_value_shape* value_shape_ptr) {
  return guarded(__func__, [&] {
    require_pointer(value_shape_ptr, "value_shape_ptr");
    *value_shape_ptr = runtime_shape(require_context(context), require_value(value, "value"));
  });
}

odla_status odla_SetRuntimeValueType(odla_context context, odla_value value,
                                     odla_value_type value_type) {
  return guarded(__func__, [&] {
    auto found = require_value(value, "value");
    if (value_type.element_type != found->type.element_type)
      throw Failure(ODLA_UNSUPPORTED_DATATYPE,
                    "value_type has element type " + std::to_string(value_type.element_type) +
                        "; accepted: the declared one, " +
                        std::to_string(found->type.element_type));
    set_runtime_shape(context, value, value_type.shape);
  });
}

odla_status odla_GetRuntimeValueType(odla_context context, odla_value value,
                                     odla_value_type* value_type_ptr) {
  return guarded(__func__, [&] {
    require_pointer(value_type_ptr, "value_type_ptr");
    auto found = require_value(value, "value");
    odla_value_type type = found->type;
    type.shape = runtime_shape(require_context(context), found);
    *value_type_ptr = type;
  });
}

odla_status odla_GetRuntimeNumOfOutputs(odla_context context, odla_uint32* num_output_ptr) {
  return guarded(__func__, [&] {
    require_pointer(num_output_ptr, "num_output_ptr");
    *num_output_ptr = 0;
    auto target = require_context(context);
    std::lock_guard<std::mutex> lock(target->mutex);
    size_t count = 0;
    for (auto& item : target->outputs_by_id) count += item.second.size();
    for (auto& item : target->outputs_by_key) count += item.second.size();
    *num_output_ptr = static_cast<odla_uint32>(count);
  });
}

odla_status odla_GetValueData(const odla_value value, odla_void* data_ptr, odla_context context) {
  return guarded(__func__, [&] {
    auto found = require_value(value, "value");
    wait_for_tasks(value);
    if (context == nullptr) {
      copy_value_data(found, data_ptr);
      return;
    }
    auto target = require_context(context);
    auto owner = found->computation.lock();
    if (!owner) {
      copy_value_data(found, data_ptr);
      return;
    }
    int64_t output = -1;
    {
      std::lock_guard<std::mutex> lock(target->mutex);
      if (target->computation.lock() != owner || !target->ran)
        invalid("the context has not run the computation of '" + found->id.text + "'");
      std::lock_guard<std::mutex> owners(owner->mutex);
      auto& outputs = owner->outputs.values;
      for (size_t index = 0; index < outputs.size() && output < 0; ++index)
        if (outputs[index]->key == found->key) output = static_cast<int64_t>(index);
      if (output < 0) invalid("the value '" + found->id.text + "' is no output");
      if (static_cast<size_t>(output) >= target->last_outputs.size())
        invalid("the context has not run since '" + found->id.text + "' is an output");
      if (target->last_outputs[static_cast<size_t>(output)])
        invalid("the output '" + found->id.text + "' is bound to memory, which holds its elements");
    }
    Call call;
    call(ODLA_IPU_CONTEXT_OUTPUT, slot(target->number), slot(output));
    if (call.reply.size == 0) return;
    require_pointer(data_ptr, "data_ptr");
    std::memcpy(data_ptr, call.reply.address, static_cast<size_t>(call.reply.size));
  });
}

}  // extern "C"
