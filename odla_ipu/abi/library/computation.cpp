// Computations, their values and outputs, executables: odla_compute.h, odla_value.h, basic ops.
#include <algorithm>
#include <cstring>

#include "queue.h"
#include "support.h"
#include "task.h"

namespace odla_ipu {

Object::~Object() {
  if (!releases || key == 0 || !python_is_running()) return;
  odla_ipu_slot list[1] = {slot(key)};
  odla_ipu_reply reply;
  python().call(ODLA_IPU_RELEASE, list, &reply);
}

// Ids.

namespace {

constexpr uintptr_t kIntegerIds = 4096;  // below: an integer, as no string lies there

}  // namespace

std::string normalised(const std::string& id) {
  std::string text;
  for (unsigned char c : id) text += std::isalnum(c) ? static_cast<char>(c) : '_';
  if (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0]))) text = "val_" + text;
  return text;
}

Id Id::read(const void* id) {
  Id result;
  if (id == nullptr) return result;
  result.given = true;
  if (reinterpret_cast<uintptr_t>(id) < kIntegerIds) {
    result.number = id;
    result.text = "#" + std::to_string(reinterpret_cast<uintptr_t>(id));
  } else {
    result.text = static_cast<const char*>(id);
  }
  return result;
}

odla_value_id Id::handle() const {
  const void* id = number ? number : given ? text.c_str() : nullptr;
  return reinterpret_cast<odla_value_id>(const_cast<void*>(id));
}

void Ports::add(const std::shared_ptr<Value>& value, odla_value handle, const Id& id) {
  int index = static_cast<int>(values.size());
  values.push_back(value);
  handles.push_back(handle);
  if (id.given && !id.text.empty()) by_id[id.text].push_back(index);
}

const std::vector<int>& Ports::find(const std::string& id) const {
  static const std::vector<int> none;
  auto found = by_id.find(id);
  if (found != by_id.end()) return found->second;
  // Programs may bind an output that is an argument by its normalised name.
  for (const auto& item : by_id)
    if (normalised(item.first) == id) return item.second;
  return none;
}

void Computation::failed(odla_status status, const std::string& message) {
  std::lock_guard<std::mutex> lock(mutex);
  if (first_status != ODLA_SUCCESS) return;
  first_status = status;
  first_failure = message;
}

// Which computation is current.

namespace {

struct Live {
  std::mutex mutex;
  std::vector<std::pair<std::weak_ptr<Computation>, void*>> all;  // oldest first
};

Live& live() {
  static Live* one = new Live;
  return *one;
}

}  // namespace

void add_live(const std::shared_ptr<Computation>& computation, void* handle) {
  std::lock_guard<std::mutex> lock(live().mutex);
  live().all.emplace_back(computation, handle);
}

void* handle_of(const std::shared_ptr<Computation>& computation) {
  std::lock_guard<std::mutex> lock(live().mutex);
  for (auto& item : live().all)
    if (item.first.lock() == computation) return item.second;
  return nullptr;
}

void remove_live(const Computation* computation) {
  std::lock_guard<std::mutex> lock(live().mutex);
  auto& all = live().all;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const auto& item) {
                             auto one = item.first.lock();
                             return !one || one.get() == computation;
                           }),
            all.end());
}

std::vector<std::shared_ptr<Computation>> live_computations() {
  std::lock_guard<std::mutex> lock(live().mutex);
  std::vector<std::shared_ptr<Computation>> result;
  for (auto item = live().all.rbegin(); item != live().all.rend(); ++item)
    if (auto one = item->first.lock()) result.push_back(one);
  return result;
}

void make_current(const std::shared_ptr<Computation>& computation) {
  ThreadState& state = thread_state();
  state.current = computation;
  state.interprets = false;
}

namespace {

std::shared_ptr<Computation> latest() {
  std::lock_guard<std::mutex> lock(live().mutex);
  for (auto item = live().all.rbegin(); item != live().all.rend(); ++item)
    if (auto one = item->first.lock()) return one;
  return nullptr;
}

bool is_live(const std::shared_ptr<Computation>& computation) {
  std::lock_guard<std::mutex> lock(live().mutex);
  for (const auto& item : live().all)
    if (item.first.lock() == computation) return true;
  return false;
}

}  // namespace

std::shared_ptr<Computation> current_computation() {
  ThreadState& state = thread_state();
  if (state.interprets) return nullptr;
  auto own = state.current.lock();
  if (own && is_live(own)) return own;
  return latest();
}

std::shared_ptr<Computation> require_current() {
  thread_state().interprets = false;
  auto computation = current_computation();
  if (!computation) invalid("there is no computation; call odla_CreateComputation first");
  if (computation->loaded)
    invalid("the current computation is a loaded executable, which takes no more ops; call "
            "odla_CreateComputation first");
  return computation;
}

// Values.

namespace {

// Interpreted values by id: the last one of each id of the process.
struct Interpreted {
  std::mutex mutex;
  std::unordered_map<std::string, std::deque<void*>> by_id;
};

Interpreted& interpreted() {
  static Interpreted* one = new Interpreted;
  return *one;
}

// So many interpreted values of one id are kept: programs that make theirs anew for each input
// never release them.
constexpr size_t kKeptPerId = 64;

void remember_interpreted(const Id& id, void* handle) {
  std::shared_ptr<Object> dropped;  // outlives the lock
  std::lock_guard<std::mutex> lock(interpreted().mutex);
  auto& handles = interpreted().by_id[id.text];
  handles.push_back(handle);
  if (handles.size() <= kKeptPerId) return;
  dropped = remove<Value>(handles.front());
  handles.pop_front();
}

}  // namespace

odla_value interpreted_handle(const std::shared_ptr<Value>& value) {
  std::lock_guard<std::mutex> lock(interpreted().mutex);
  auto found = interpreted().by_id.find(value->id.text);
  if (found != interpreted().by_id.end())
    for (void* handle : found->second)
      if (find<Value>(handle) == value) return static_cast<odla_value>(handle);
  return nullptr;
}

odla_value new_value(const std::shared_ptr<Computation>& owner, const odla_ipu_result& result,
                     const Id& id, std::shared_ptr<Value>* made) {
  auto value = std::make_shared<Value>(result.key);
  value->id = id;
  value->type = result.type;
  value->interpreted = owner == nullptr;
  value->releases = owner == nullptr;
  value->computation = owner;
  void* handle = insert(value);
  if (owner) {
    std::lock_guard<std::mutex> lock(owner->mutex);
    owner->handles.push_back(handle);
  } else if (id.given) {
    remember_interpreted(id, handle);
  }
  if (made) *made = value;
  return static_cast<odla_value>(handle);
}

std::shared_ptr<Value> find_value_by_id(const odla_value_id given) {
  Id id = Id::read(given);
  if (!id.given) invalid("the id is NULL; accepted: the id of a value");
  if (auto computation = current_computation()) {
    std::lock_guard<std::mutex> lock(computation->mutex);
    for (auto handle = computation->handles.rbegin(); handle != computation->handles.rend();
         ++handle) {
      auto value = find<Value>(*handle);
      if (value && value->id.given && value->id.text == id.text) return value;
    }
  }
  {
    std::lock_guard<std::mutex> lock(interpreted().mutex);
    auto found = interpreted().by_id.find(id.text);
    if (found != interpreted().by_id.end())
      for (auto handle = found->second.rbegin(); handle != found->second.rend(); ++handle)
        if (auto value = find<Value>(*handle)) return value;
  }
  invalid("no value has the id '" + id.text + "' in the current computation, nor among "
          "interpreted values");
}

namespace {

int64_t key_or_zero(const std::shared_ptr<Computation>& computation) {
  return computation ? computation->key : 0;
}

}  // namespace

void destroy_computation(const std::shared_ptr<Computation>& computation) {
  remove_live(computation.get());
  std::vector<void*> handles;
  void* executable = nullptr;
  std::shared_ptr<Queue> queue;
  std::shared_ptr<Object> compiled;
  {
    std::lock_guard<std::mutex> lock(computation->mutex);
    handles.swap(computation->handles);
    std::swap(executable, computation->executable_handle);
    compiled.swap(computation->executable);
    queue.swap(computation->queue);
  }
  for (void* handle : handles) remove<Value>(handle);
  if (executable) remove<Executable>(executable);
  if (queue) queue->finish();
}

}  // namespace odla_ipu

using namespace odla_ipu;

extern "C" {

// Computations.

odla_status odla_CreateComputation(odla_computation* computation) {
  return guarded(__func__, [&] {
    require_pointer(computation, "computation");
    *computation = nullptr;
    Call call;
    auto& device = thread_state().device;
    call(ODLA_IPU_CREATE_COMPUTATION, slot(device ? device->key : int64_t{0}));
    auto made = std::make_shared<Computation>(call.reply.number);
    made->asynchronous = call.reply.size != 0;
    void* handle = insert(made);
    add_live(made, handle);
    make_current(made);
    *computation = static_cast<odla_computation>(handle);
  });
}

odla_status odla_SetActiveComputation(odla_computation computation) {
  return guarded(__func__, [&] { make_current(require_computation(computation)); });
}

odla_status odla_DestroyComputation(odla_computation computation) {
  return guarded(__func__, [&] {
    auto removed = remove<Computation>(computation);
    if (!removed) require_computation(computation);
    destroy_computation(removed);
  });
}

odla_status odla_SetComputationItem(odla_computation computation, odla_item_type type,
                                    odla_item_value value) {
  return guarded(__func__, [&] {
    auto target = require_computation(computation);
    bool takes_null = static_cast<int>(type) == 1002;
    if (value == nullptr && !takes_null)
      invalid("value is NULL; accepted: the address of what the item's type says");
    {
      std::lock_guard<std::mutex> lock(target->mutex);
      ++target->version;
      // A program that sets options of a graph it is building means to go on with that one.
      if (!target->compiled && !target->loaded) make_current(target);
    }
    Call()(ODLA_IPU_SET_ITEM, slot(target->key), slot(static_cast<int64_t>(type)),
           slot(static_cast<const void*>(value)));
  });
}

odla_status odla_DifferentiateComputation(odla_computation computation) {
  return guarded(__func__, [&] {
    Call()(ODLA_IPU_DIFFERENTIATE, slot(require_computation(computation)->key));
  });
}

}  // extern "C"

std::shared_ptr<Computation> odla_ipu::program_of(const odla_executable executable) {
  auto found = require<Executable>(executable, "executable",
                                   "odla_CompileComputation or odla_LoadExecutable");
  auto computation = found->hidden ? found->hidden : found->computation.lock();
  if (!computation) invalid("the computation of the executable is destroyed");
  return computation;
}

namespace {

// The number of arguments or outputs of the program that `find` gives.
template <class Find>
odla_status count_of(const char* function, Find&& find, Ports Computation::*ports,
                     odla_uint32* count, const char* parameter) {
  return guarded(function, [&] {
    require_pointer(count, parameter);
    *count = 0;
    auto target = find();
    std::lock_guard<std::mutex> lock(target->mutex);
    *count = static_cast<odla_uint32>(((*target).*ports).values.size());
  });
}

// One of them.
template <class Find>
odla_status port_at(const char* function, Find&& find, Ports Computation::*ports,
                    odla_uint32 index, const char* index_parameter, odla_value* value,
                    const char* parameter) {
  return guarded(function, [&] {
    require_pointer(value, parameter);
    *value = nullptr;
    auto target = find();
    std::lock_guard<std::mutex> lock(target->mutex);
    const auto& handles = ((*target).*ports).handles;
    if (index >= handles.size())
      invalid(std::string(index_parameter) + " is " + std::to_string(index) + " of " +
              std::to_string(handles.size()) + "; accepted: indices below that");
    *value = handles[index];
  });
}

}  // namespace

extern "C" {

odla_status odla_GetNumOfArgsFromComputation(const odla_computation computation, odla_uint32* num_args) {
  return count_of(__func__, [&] { return require_computation(computation); }, &Computation::arguments, num_args, "num_args");
}

odla_status odla_GetArgFromComputationByIdx(const odla_computation computation, const odla_uint32 arg_idx,
                                          odla_value* arg_value) {
  return port_at(__func__, [&] { return require_computation(computation); }, &Computation::arguments, arg_idx, "arg_idx", arg_value,
                 "arg_value");
}

odla_status odla_GetNumOfOutputsFromComputation(const odla_computation computation, odla_uint32* num_outputs) {
  return count_of(__func__, [&] { return require_computation(computation); }, &Computation::outputs, num_outputs, "num_outputs");
}

odla_status odla_GetOutputFromComputationByIdx(const odla_computation computation, const odla_uint32 output_idx,
                                          odla_value* output_value) {
  return port_at(__func__, [&] { return require_computation(computation); }, &Computation::outputs, output_idx, "output_idx", output_value,
                 "output_value");
}

odla_status odla_GetNumOfArgsFromExecutable(const odla_executable executable, odla_uint32* num_args) {
  return count_of(__func__, [&] { return program_of(executable); }, &Computation::arguments, num_args, "num_args");
}

odla_status odla_GetArgFromExecutableByIdx(const odla_executable executable, const odla_uint32 arg_idx,
                                          odla_value* arg_value) {
  return port_at(__func__, [&] { return program_of(executable); }, &Computation::arguments, arg_idx, "arg_idx", arg_value,
                 "arg_value");
}

odla_status odla_GetNumOfOutputsFromExecutable(const odla_executable executable, odla_uint32* num_outputs) {
  return count_of(__func__, [&] { return program_of(executable); }, &Computation::outputs, num_outputs, "num_outputs");
}

odla_status odla_GetOutputFromExecutableByIdx(const odla_executable executable, const odla_uint32 output_idx,
                                          odla_value* output_value) {
  return port_at(__func__, [&] { return program_of(executable); }, &Computation::outputs, output_idx, "output_idx", output_value,
                 "output_value");
}

// Arguments, constants and variables.

odla_value odla_CreateArgument(const odla_value_type value_type, const odla_value_id value_id) {
  return guarded_value(__func__, [&] {
    check_type(value_type, "value_type");
    auto computation = require_current();
    Id id = Id::read(value_id);
    Call call;
    call(ODLA_IPU_CREATE_ARGUMENT, slot(computation->key), slot(static_cast<const void*>(&value_type)),
         slot(static_cast<const void*>(id.text_or_null())));
    std::shared_ptr<Value> value;
    odla_value handle = new_value(computation, call.reply.results[0], id, &value);
    std::lock_guard<std::mutex> lock(computation->mutex);
    value->argument = static_cast<int>(computation->arguments.values.size());
    computation->arguments.add(value, handle, id);
    ++computation->version;
    return handle;
  });
}

odla_value odla_CreateConstant(const odla_value_type value_type, const odla_void* data_ptr,
                               const odla_value_id value_id) {
  return guarded_value(__func__, [&] {
    check_type(value_type, "value_type");
    int64_t bytes = bytes_of(value_type);
    if (bytes < 0)
      invalid("the shape " + shape_text(value_type.shape) +
              " of a constant is open or too large; accepted: known sizes");
    if (data_ptr == nullptr && bytes > 0)
      invalid("data_ptr is NULL; accepted: the address of the elements");
    auto computation = current_computation();
    Id id = Id::read(value_id);
    Call call;
    call(ODLA_IPU_CREATE_CONSTANT, slot(key_or_zero(computation)),
         slot(static_cast<const void*>(&value_type)), slot(data_ptr),
         slot(static_cast<const void*>(id.text_or_null())), slot(bytes));
    return new_value(computation, call.reply.results[0], id);
  });
}

odla_value odla_CreateValue(const odla_value_type value_type, const odla_value_id value_id) {
  return guarded_value(__func__, [&] {
    check_type(value_type, "value_type");
    Id id = Id::read(value_id);
    Call call;
    call(ODLA_IPU_CREATE_VALUE, slot(static_cast<const void*>(&value_type)),
         slot(static_cast<const void*>(id.text_or_null())));
    thread_state().interprets = true;
    return new_value(nullptr, call.reply.results[0], id);
  });
}

odla_value odla_CreateVariable(const odla_value_type value_type, const odla_value_id value_id) {
  return guarded_value(__func__, [&] {
    check_type(value_type, "value_type");
    auto computation = current_computation();
    Id id = Id::read(value_id);
    Call call;
    call(ODLA_IPU_CREATE_VARIABLE, slot(key_or_zero(computation)),
         slot(static_cast<const void*>(&value_type)),
         slot(static_cast<const void*>(id.text_or_null())));
    return new_value(computation, call.reply.results[0], id);
  });
}

}  // extern "C"

namespace {

// The same value of Python by another handle and id: values do not change.
odla_value clone(const std::shared_ptr<Value>& source, const odla_value_id value_id) {
  Call call;
  call(ODLA_IPU_CLONE_VALUE, slot(source->key));
  return new_value(source->computation.lock(), call.reply.results[0], Id::read(value_id));
}

}  // namespace

extern "C" {

odla_value odla_CloneValue(const odla_value src_value, const odla_value_id value_id) {
  return guarded_value(__func__, [&] {
    return clone(require_value(src_value, "src_value"), value_id);
  });
}

odla_value odla_CloneValueById(const odla_value_id src_value_id, const odla_value_id value_id) {
  return guarded_value(__func__, [&] { return clone(find_value_by_id(src_value_id), value_id); });
}

}  // extern "C"
