#include "handles.h"

namespace odla_ipu {

namespace {

// kind: 20 bits, generation: 20 bits, place: 24 bits.  The generation of a place grows each time it
// is given back, and a place whose generations are used up is not used again.
constexpr uint64_t kPlaceBits = 24, kGenerationBits = 20;
constexpr uint64_t kMaxPlace = (uint64_t{1} << kPlaceBits) - 1;
constexpr uint64_t kMaxGeneration = (uint64_t{1} << kGenerationBits) - 1;
static_assert(sizeof(void*) == 8, "handles take 64 bits");

struct Entry {
  std::shared_ptr<Object> object;
  Kind kind{};
  uint64_t generation = 1;
};

// Never destroyed: threads may look up handles while the process ends.
struct Table {
  std::mutex mutex;
  std::vector<Entry> entries;
  std::vector<uint64_t> free;
};

Table& table() {
  static Table* one = new Table;
  return *one;
}

void* encode(Kind kind, uint64_t generation, uint64_t place) {
  uint64_t bits = (static_cast<uint64_t>(kind) << (kGenerationBits + kPlaceBits)) |
                  (generation << kPlaceBits) | place;
  return reinterpret_cast<void*>(bits);
}

// The entry of a live handle, or null.  The table must be locked.
Entry* entry_of(Kind kind, const void* handle) {
  auto bits = reinterpret_cast<uint64_t>(handle);
  if (bits >> (kGenerationBits + kPlaceBits) != static_cast<uint64_t>(kind)) return nullptr;
  uint64_t place = bits & kMaxPlace;
  auto& entries = table().entries;
  if (place >= entries.size()) return nullptr;
  Entry& entry = entries[place];
  bool is_live = entry.object && entry.kind == kind &&
                 entry.generation == ((bits >> kPlaceBits) & kMaxGeneration);
  return is_live ? &entry : nullptr;
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::value: return "a value";
    case Kind::computation: return "a computation";
    case Kind::executable: return "an executable";
    case Kind::context: return "a context";
    case Kind::device: return "a device";
    case Kind::vendor: return "a vendor";
    case Kind::device_config: return "a device config";
    case Kind::constants: return "a constants array";
    case Kind::trace: return "a device trace";
  }
  return nullptr;
}

}  // namespace

void* insert_handle(Kind kind, std::shared_ptr<Object> object) {
  Table& t = table();
  std::lock_guard<std::mutex> lock(t.mutex);
  uint64_t place;
  if (!t.free.empty()) {
    place = t.free.back();
    t.free.pop_back();
  } else {
    place = t.entries.size();
    if (place > kMaxPlace) throw std::bad_alloc();
    t.entries.emplace_back();
  }
  Entry& entry = t.entries[place];
  entry.object = std::move(object);
  entry.kind = kind;
  return encode(kind, entry.generation, place);
}

std::shared_ptr<Object> find_handle(Kind kind, const void* handle) {
  if (handle == nullptr) return nullptr;
  std::lock_guard<std::mutex> lock(table().mutex);
  Entry* entry = entry_of(kind, handle);
  return entry ? entry->object : nullptr;
}

std::shared_ptr<Object> remove_handle(Kind kind, const void* handle) {
  std::shared_ptr<Object> object;  // outlives the lock: its destructor may call back
  Table& t = table();
  std::lock_guard<std::mutex> lock(t.mutex);
  Entry* entry = entry_of(kind, handle);
  if (entry == nullptr) return nullptr;
  object = std::move(entry->object);
  entry->object = nullptr;
  if (++entry->generation <= kMaxGeneration)
    t.free.push_back(static_cast<uint64_t>(entry - t.entries.data()));
  return object;
}

std::string describe_handle(const void* handle) {
  if (handle == nullptr) return "NULL";
  auto bits = reinterpret_cast<uint64_t>(handle);
  auto kind = static_cast<Kind>(bits >> (kGenerationBits + kPlaceBits));
  const char* name = name_of(kind);
  if (name == nullptr) return "no handle of this library";
  bool is_live;
  {
    std::lock_guard<std::mutex> lock(table().mutex);
    is_live = entry_of(kind, handle) != nullptr;
  }
  return std::string(is_live ? "a handle of " : "the handle of ") + name +
         (is_live ? "" : " that is destroyed");
}

}  // namespace odla_ipu
