#include "ops.h"

#include "support.h"

namespace odla_ipu {

int64_t Slots::key(odla_value given, const char* parameter) {
  if (given == nullptr) {
    if (!first_null_) first_null_ = parameter;
    return 0;
  }
  return require_value(given, parameter)->key;
}

void Slots::value(odla_value given, const char* parameter) { number(key(given, parameter)); }

void Slots::values(const odla_values& given, const char* parameter) {
  if (given.size > ODLA_MAX_OUTPUTS)
    invalid(std::string(parameter) + " has size " + std::to_string(given.size) +
            "; accepted: 0 to " + std::to_string(ODLA_MAX_OUTPUTS));
  values_.emplace_back();
  odla_ipu_values& keys = values_.back();
  keys.size = static_cast<int64_t>(given.size);
  for (size_t i = 0; i < given.size; ++i)
    keys.keys[i] = require_value(given.values[i], parameter)->key;
  pointer(&keys);
}

void Slots::shape(const odla_value_shape& given, const char* parameter, bool may_be_undefined) {
  check_shape(given, parameter, may_be_undefined);
  pointer(&given);
}

void Slots::type(const odla_value_type& given, const char* parameter) {
  if (given.shape.size != -1) check_type(given, parameter);
  pointer(&given);
}

Ids::Ids(const odla_value_ids& given) {
  if (given.size > ODLA_MAX_OUTPUTS)
    invalid("value_ids has size " + std::to_string(given.size) + "; accepted: 0 to " +
            std::to_string(ODLA_MAX_OUTPUTS));
  texts.size = static_cast<int64_t>(given.size);
  for (size_t i = 0; i < given.size; ++i) all.push_back(Id::read(given.value_ids[i]));
  for (size_t i = 0; i < given.size; ++i) texts.texts[i] = all[i].text_or_null();
}

Ids::Ids(const odla_value_id given) {
  all.push_back(Id::read(given));
  texts.size = 1;
  texts.texts[0] = all[0].text_or_null();
}

void take_results(const std::shared_ptr<Computation>& owner, const odla_ipu_reply& reply,
                  const Ids& ids, odla_values& results) {
  results.size = static_cast<size_t>(reply.results_size);
  // Programs give one id to ops with several results, and bind each of them by it.
  bool same = ids.all.size() == 1;
  for (size_t i = 0; i < results.size; ++i)
    results.values[i] = new_value(owner, reply.results[i],
                                  same ? ids.all[0] : i < ids.all.size() ? ids.all[i] : Id());
}

std::shared_ptr<Computation> owner_of(const odla_ipu_reply& reply,
                                      const std::shared_ptr<Computation>& current) {
  if (reply.number == 0) return nullptr;
  if (current && current->key == reply.number) return current;
  for (auto& one : live_computations())
    if (one->key == reply.number) return one;
  invalid("the computation of the operands is destroyed");
}

namespace {

void add(int32_t op, const Slots& slots, const Ids& ids, odla_values& results) {
  auto current = current_computation();
  odla_ipu_reply reply;
  reply.status = ODLA_INTERNAL_LOGIC_ERR;
  reply.message = nullptr;
  reply.number = 0;
  python().op(op, current ? current->key : 0, slots.list(), &ids.texts, &reply);
  if (reply.status != ODLA_SUCCESS && slots.first_null() && reply.number == -1)
    require_value(nullptr, slots.first_null());  // says why, when an op before failed
  check_reply(reply);
  take_results(owner_of(reply, current), reply, ids, results);
}

}  // namespace

odla_value add_op(int32_t op, const Slots& slots, const odla_value_id id) {
  odla_values results;
  add(op, slots, Ids(id), results);
  return results.values[0];
}

void add_op(int32_t op, const Slots& slots, const odla_value_id id, odla_values& results) {
  add(op, slots, Ids(id), results);
}

void add_op(int32_t op, const Slots& slots, const odla_value_ids& ids, odla_values& results) {
  add(op, slots, Ids(ids), results);
}

}  // namespace odla_ipu
