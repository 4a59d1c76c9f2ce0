#ifndef poplar_exceptions_hpp
#define poplar_exceptions_hpp

#include <stdexcept>
#include <string>

namespace poplar {

struct poplar_error : std::runtime_error {
  explicit poplar_error(const std::string &message);
  ~poplar_error() override;
};

#define ODLA_POPLAR_ERROR(name, base)                                                              \
  struct name : base {                                                                             \
    using base::base;                                                                              \
  }
ODLA_POPLAR_ERROR(graph_error, poplar_error);
ODLA_POPLAR_ERROR(invalid_tile_mapping, graph_error);
ODLA_POPLAR_ERROR(graph_connection_error, graph_error);
ODLA_POPLAR_ERROR(type_error, poplar_error);
ODLA_POPLAR_ERROR(index_error, poplar_error);
ODLA_POPLAR_ERROR(symbol_error, poplar_error);
ODLA_POPLAR_ERROR(graph_memory_allocation_error, poplar_error);
ODLA_POPLAR_ERROR(control_program_error, poplar_error);
ODLA_POPLAR_ERROR(application_runtime_error, poplar_error);
#undef ODLA_POPLAR_ERROR

} // namespace poplar

#endif
