# The C library of ODLA for Graphcore IPUs: target ODLA_IPU::odla_ipu.
get_filename_component(_odla_ipu_package "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET ODLA_IPU::odla_ipu)
  add_library(ODLA_IPU::odla_ipu SHARED IMPORTED)
  set_target_properties(
    ODLA_IPU::odla_ipu
    PROPERTIES
      IMPORTED_LOCATION "${_odla_ipu_package}/abi/libodla_ipu.so"
      IMPORTED_SONAME "libodla_ipu.so"
      INTERFACE_INCLUDE_DIRECTORIES "${_odla_ipu_package}/include")
endif()

unset(_odla_ipu_package)
