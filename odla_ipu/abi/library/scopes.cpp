// Conditionals, loops and custom ops: odla_ops_control_flow.h, odla_ops_custom.h
#include <cstdarg>
#include <cstring>

#include "ops.h"

using namespace odla_ipu;

extern "C" {

odla_status odla_BeginIf(odla_value condition, odla_value_id value_id) {
  return guarded(__func__, [&] {
    auto computation = require_current();
    Id id = Id::read(value_id);
    Call()(ODLA_IPU_BEGIN_IF, slot(computation->key),
           slot(require_value(condition, "condition")->key),
           slot(static_cast<const void*>(id.text_or_null())));
  });
}

odla_status odla_EnterBranchBody(odla_bool true_branch) {
  return guarded(__func__, [&] {
    if (true_branch > 1)
      invalid("true_branch is " + std::to_string(true_branch) + "; accepted: 0 and 1");
    Call()(ODLA_IPU_ENTER_BRANCH, slot(require_current()->key),
           slot(static_cast<int64_t>(true_branch)));
  });
}

odla_values odla_EndIf(odla_value_ids value_ids) {
  return guarded_values(__func__, [&](odla_values& results) {
    auto computation = require_current();
    Ids ids(value_ids);
    Call call;
    call(ODLA_IPU_END_IF, slot(computation->key), slot(static_cast<const void*>(&ids.texts)));
    take_results(computation, call.reply, ids, results);
  });
}

odla_status odla_BeginLoop(odla_value trip_count, odla_value_id value_id) {
  return guarded(__func__, [&] {
    auto computation = require_current();
    Id id = Id::read(value_id);
    Call()(ODLA_IPU_BEGIN_LOOP, slot(computation->key),
           slot(require_value(trip_count, "trip_count")->key),
           slot(static_cast<const void*>(id.text_or_null())));
  });
}

odla_value odla_CreateLoopVariable(odla_value init_value, odla_value_id value_id) {
  return guarded_value(__func__, [&] {
    auto computation = require_current();
    Id id = Id::read(value_id);
    Call call;
    call(ODLA_IPU_LOOP_VARIABLE, slot(computation->key),
         slot(require_value(init_value, "init_value")->key),
         slot(static_cast<const void*>(id.text_or_null())));
    return new_value(computation, call.reply.results[0], id);
  });
}

odla_values odla_EndLoop(odla_value condition, odla_values output_values,
                         const odla_loop_output_mode* flags, odla_value_ids value_ids) {
  return guarded_values(__func__, [&](odla_values& results) {
    auto computation = require_current();
    Slots slots;
    slots.value(condition, "condition");
    slots.values(output_values, "output_values");
    if (output_values.size) require_pointer(flags, "flags");
    Ids ids(value_ids);
    Call call;
    call(ODLA_IPU_END_LOOP, slot(computation->key), slots.list()[0], slots.list()[1],
         slot(static_cast<const void*>(flags)), slot(static_cast<const void*>(&ids.texts)));
    take_results(computation, call.reply, ids, results);
  });
}

// Which variable arguments follow, the op's declaration says: its attributes in their order, as C
// passes them.  A list takes two, its length (size_t) and its address.
odla_values odla_CustomOp(odla_values inputs, const odla_char* op_name,
                          const odla_char* function_name, const odla_value_ids given, ...) {
  va_list arguments;
  va_start(arguments, given);
  odla_values made = guarded_values(__func__, [&](odla_values& results) {
    require_pointer(op_name, "op_name");
    (void)function_name;  // tells instances apart; here ids do
    auto current = current_computation();
    std::string layout;
    {
      Call call;
      call(ODLA_IPU_CUSTOM_LAYOUT, slot(static_cast<const void*>(op_name)));
      layout.assign(static_cast<const char*>(call.reply.address),
                    static_cast<size_t>(call.reply.size));
    }
    Slots slots;
    slots.values(inputs, "inputs");
    for (char kind : layout) {
      switch (kind) {
        case 'i': slots.number(va_arg(arguments, int)); break;
        case 'u': slots.number(va_arg(arguments, unsigned)); break;
        case 'l': slots.number(va_arg(arguments, int64_t)); break;
        case 'd': slots.real(va_arg(arguments, double)); break;
        case 's': slots.pointer(va_arg(arguments, const char*)); break;
        case 'n': slots.number(static_cast<int64_t>(va_arg(arguments, size_t))); break;
        case 'p': slots.pointer(va_arg(arguments, const void*)); break;
        default: throw Failure(ODLA_INTERNAL_LOGIC_ERR, "an unknown layout of arguments");
      }
    }
    Ids ids(given);
    Call call;
    call(ODLA_IPU_CUSTOM_OP, slot(current ? current->key : int64_t{0}),
         slot(static_cast<const void*>(op_name)), slot(static_cast<const void*>(slots.list())),
         slot(static_cast<const void*>(&ids.texts)));
    take_results(owner_of(call.reply, current), call.reply, ids, results);
  });
  va_end(arguments);
  return made;
}

}  // extern "C"
