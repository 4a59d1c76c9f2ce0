// Adding ops: what the generated functions of ops.cpp, control flow and custom ops share.
#ifndef ODLA_IPU_OPS_H
#define ODLA_IPU_OPS_H

#include "support.h"

namespace odla_ipu {

// Names by number, "odla_Relu"; generated.
extern const char* const op_names[];
extern const int32_t op_count;

// Arguments of a call as Python takes them; what they point to lives as long as this.
class Slots {
 public:
  void value(odla_value given, const char* parameter);
  void values(const odla_values& given, const char* parameter);
  void shape(const odla_value_shape& given, const char* parameter, bool may_be_undefined = true);
  void type(const odla_value_type& given, const char* parameter);
  void number(int64_t given) { list_.push_back(slot(given)); }
  void real(double given) { list_.push_back(slot(given)); }
  void pointer(const void* given) { list_.push_back(slot(given)); }

  const odla_ipu_slot* list() const { return list_.data(); }
  size_t size() const { return list_.size(); }
  // The first parameter that is NULL; null when none is.
  const char* first_null() const { return first_null_; }

 private:
  int64_t key(odla_value given, const char* parameter);

  std::vector<odla_ipu_slot> list_;
  std::deque<odla_ipu_values> values_;
  const char* first_null_ = nullptr;
};

odla_value add_op(int32_t op, const Slots& slots, const odla_value_id id);
void add_op(int32_t op, const Slots& slots, const odla_value_ids& ids, odla_values& results);
// For ops with several results that take one id.
void add_op(int32_t op, const Slots& slots, const odla_value_id id, odla_values& results);

// The ids as texts, for Python; they live as long as this.
struct Ids {
  explicit Ids(const odla_value_ids& given);
  explicit Ids(const odla_value_id given);
  std::vector<Id> all;
  odla_ipu_ids texts;
};
// The computation that the results of a reply belong to, null for interpreted values; Python says
// whether it is the current one or that of the operands.
std::shared_ptr<Computation> owner_of(const odla_ipu_reply& reply,
                                      const std::shared_ptr<Computation>& current);
// Handles for the results of a reply, named by the ids.
void take_results(const std::shared_ptr<Computation>& owner, const odla_ipu_reply& reply,
                  const Ids& ids, odla_values& results);

}  // namespace odla_ipu

#endif
