// What handles stand for.
#ifndef ODLA_IPU_OBJECTS_H
#define ODLA_IPU_OBJECTS_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../bridge.h"
#include "turn.h"

namespace odla_ipu {

class Queue;
struct Computation;

// The text of an odla_value_id.  Programs that a compiler made without names pass small integers.
struct Id {
  bool given = false;
  const void* number = nullptr;  // the integer, when it is one
  std::string text;

  static Id read(const void* id);
  // What odla_GetValueId hands out; valid while this lives.
  odla_value_id handle() const;
  const char* text_or_null() const { return given ? text.c_str() : nullptr; }
};

// Anything that a handle refers to.  The key is Python's number of it; 0 for none.
struct Object {
  explicit Object(int64_t key) : key(key) {}
  virtual ~Object();
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  const int64_t key;
  bool releases = true;  // tell Python when the object goes
};

struct Value : Object {
  using Object::Object;
  Id id;
  odla_value_type type{};
  std::weak_ptr<Computation> computation;  // none: interpreted
  bool interpreted = false;
  int argument = -1;            // index among the arguments
  std::mutex mutex;             // of what follows
  std::vector<char> own;        // memory for a result that odla_BindValueToOutputById asked for
};

// Arguments or outputs of a program, and how ids find them.
struct Ports {
  std::vector<std::shared_ptr<Value>> values;
  std::vector<odla_value> handles;
  std::unordered_map<std::string, std::vector<int>> by_id;

  void add(const std::shared_ptr<Value>& value, odla_value handle, const Id& id);
  // The indices of an id, which may be written as compilers normalise names; empty: none.
  const std::vector<int>& find(const std::string& id) const;
};

// A graph, or a loaded executable, which has no graph any more.
struct Computation : Object {
  using Object::Object;
  bool loaded = false;
  bool asynchronous = false;  // runs of contexts with a callback are queued, by the predecessor's config
  std::mutex mutex;  // of what follows
  Ports arguments, outputs;
  std::vector<void*> handles;  // of its values, to be revoked with it
  std::shared_ptr<Object> executable;
  void* executable_handle = nullptr;
  bool compiled = false;
  std::string first_failure;  // message of the first op that could not be added
  odla_status first_status = ODLA_SUCCESS;
  std::shared_ptr<Queue> queue;  // of asynchronous runs
  int64_t version = 0;           // counts changes, for contexts
  Turn turn;                     // of those who run it

  void failed(odla_status status, const std::string& message);
};

struct Executable : Object {
  using Object::Object;
  std::weak_ptr<Computation> computation;
  std::shared_ptr<Computation> hidden;  // of a loaded one
};

struct Binding {
  bool bound = false;
  uint64_t order = 0;  // grows with each binding
  void* data = nullptr;
  std::shared_ptr<Value> value;  // bound instead of memory
};

struct Context : Object {
  explicit Context(int64_t number) : Object(0), number(number) { releases = false; }
  ~Context() override;

  const int64_t number;
  std::mutex running;  // held while a run of it is under way
  std::mutex mutex;    // of what follows
  // By the id or the value that it was bound by; resolved when a computation is run.
  std::map<std::string, std::vector<Binding>> inputs_by_id, outputs_by_id;
  std::map<int64_t, std::vector<Binding>> inputs_by_key, outputs_by_key;
  // Of an id or value that is an output several times: which of them is bound next.
  std::map<std::string, size_t> next_output;
  std::map<int64_t, size_t> next_output_of;
  std::map<int64_t, odla_value_shape> shapes;  // by key of the argument
  int64_t batch = 0;
  int (*callback)(void*, odla_status) = nullptr;
  void* callback_argument = nullptr;
  int64_t stamp = 1;  // grows with each change
  bool ran = false;
  std::vector<odla_value_shape> true_shapes;  // of the outputs of the last run
  int64_t true_shapes_stamp = 0;
  // What the last run used, so that a run that changes nothing costs nothing.
  std::vector<const void*> last_inputs;
  std::vector<void*> last_outputs;
  std::vector<odla_value_shape> last_shapes;
  std::weak_ptr<Computation> computation;
  std::shared_ptr<Object> last_device, last_constants;
  odla_compute_mode last_mode = ODLA_COMPUTE_DEFAULT;
  int64_t last_version = -1;
};

struct Device : Object {
  using Object::Object;
  std::mutex mutex;  // of what follows
  // What was handed out, by item, stays valid while the device lives.
  std::map<int, std::shared_ptr<std::string>> texts;
  std::vector<std::shared_ptr<std::string>> old_texts;
};

struct Vendor : Object {
  explicit Vendor(odla_vendor_name name) : Object(0), name(name) { releases = false; }
  odla_vendor_name name;
};

struct Pair {
  std::string key, value;
};

struct DeviceConfig : Object {
  DeviceConfig() : Object(0) { releases = false; }
  std::mutex mutex;
  std::vector<Pair> items;
};

struct ConstantsArray : Object {
  using Object::Object;
};

struct Trace : Object {
  explicit Trace(int64_t key) : Object(key) {}
  std::mutex mutex;
  std::vector<Pair> items;
  std::deque<std::string> json;
};

}  // namespace odla_ipu

#endif
