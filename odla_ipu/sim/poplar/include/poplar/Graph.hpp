// The graph: variables and vertices on tiles.
#ifndef poplar_Graph_hpp
#define poplar_Graph_hpp

#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include <poplar/ArrayRef.hpp>
#include <poplar/CodeletFileType.hpp>
#include <poplar/DebugContext.hpp>
#include <poplar/GraphElements.hpp>
#include <poplar/Interval.hpp>
#include <poplar/StringRef.hpp>
#include <poplar/Target.hpp>
#include <poplar/Tensor.hpp>
#include <poplar/Type.hpp>
#include <poplar/VertexIntrospector.hpp>

namespace poplar {

namespace core {
struct Graph;
}
namespace program {
class Program;
}

enum class VariableMappingMethod { NONE, LINEAR };
enum class TensorCloneMethod {
  PRESERVE_ORDER_AND_ALIASES,
  CREATE_NEW_ORDER,
  PRESERVE_ORDER_UNLESS_ALIASES,
  GATHER_AND_PRESERVE_TILE_ORDER_AND_ALIASES
};

class Graph {
public:
  using TileToTensorMapping = std::vector<std::vector<Interval>>;

  // A field and what it is connected to.
  struct ConnectionDesc {
    ConnectionDesc(StringRef field, Tensor tensor)
        : field(field), tensors{std::move(tensor)}, isList(false) {}
    ConnectionDesc(StringRef field, ArrayRef<Tensor> tensors)
        : field(field), tensors(tensors), isList(true) {}
    ConnectionDesc(StringRef field, const std::vector<Tensor> &tensors)
        : field(field), tensors(tensors), isList(true) {}
    std::string field;
    std::vector<Tensor> tensors;
    bool isList;
  };

  explicit Graph(const Target &target);
  ~Graph();
  Graph(Graph &&) noexcept;

  const Target &getTarget() const;

  bool addCodelets(StringRef source, CodeletFileType type = CodeletFileType::Auto,
                   StringRef compileFlags = "", StringRef targetName = "");
  void addCodelets(std::stringstream &source, StringRef compileFlags = "",
                   CodeletFileType type = CodeletFileType::CppSource, StringRef targetName = "");
  bool hasCodelet(StringRef name) const;

  Tensor addVariable(const Type &type, ArrayRef<std::size_t> shape, const DebugContext & = {});
  Tensor addVariable(const Type &type, ArrayRef<std::size_t> shape, VariableMappingMethod method,
                     const DebugContext & = {});
  template <class T>
  Tensor addConstant(const Type &type, ArrayRef<std::size_t> shape, T value,
                     const DebugContext &name = {"<const>"}) {
    static_assert(std::is_arithmetic<T>::value || std::is_same<T, half>::value, "not a number");
    return addConstantRaw(type, shape, host::CodeOf<T>::code, &value, 1, name);
  }
  template <class T>
  Tensor addConstant(const Type &type, ArrayRef<std::size_t> shape, ArrayRef<T> values,
                     const DebugContext &name = {"<const>"}) {
    return addConstantRaw(type, shape, host::CodeOf<T>::code, values.data(), values.size(), name);
  }
  template <class T>
  Tensor addConstant(const Type &type, ArrayRef<std::size_t> shape, const T *values,
                     const DebugContext &name = {"<const>"}) {
    std::size_t count = 1;
    for (std::size_t size : shape)
      count *= size;
    return addConstantRaw(type, shape, host::CodeOf<T>::code, values, count, name);
  }
  Tensor clone(const Type &type, const Tensor &like, const DebugContext & = {},
               TensorCloneMethod = TensorCloneMethod::PRESERVE_ORDER_UNLESS_ALIASES);
  Tensor clone(const Tensor &like, const DebugContext & = {},
               TensorCloneMethod = TensorCloneMethod::PRESERVE_ORDER_UNLESS_ALIASES);

  ComputeSet addComputeSet(const DebugContext & = {});
  VertexRef addVertex(ComputeSet set, StringRef type);
  VertexRef addVertex(ComputeSet set, StringRef type, ArrayRef<ConnectionDesc> connections);
  void connect(FieldRef field, const Tensor &tensor);
  void connect(FieldRef field, ArrayRef<Tensor> tensors);
  void setFieldSize(FieldRef field, std::size_t size);

  template <class T> void setInitialValue(FieldRef field, T value) {
    static_assert(std::is_arithmetic<T>::value || std::is_same<T, half>::value ||
                      std::is_enum<T>::value,
                  "not a number");
    if constexpr (std::is_enum<T>::value)
      setInitialValue(field, static_cast<std::underlying_type_t<T>>(value));
    else if constexpr (std::is_same<T, long>::value)
      setInitialValue(field, static_cast<long long>(value));
    else if constexpr (std::is_same<T, unsigned long>::value)
      setInitialValue(field, static_cast<unsigned long long>(value));
    else
      setInitialValueRaw(field, host::CodeOf<T>::code, &value, 1, false);
  }
  template <class T> void setInitialValue(FieldRef field, ArrayRef<T> values) {
    if constexpr (std::is_same<T, unsigned long>::value || std::is_same<T, long>::value) {
      static_assert(sizeof(T) == 8, "long is 64 bits wide on the host");
      setInitialValueRaw(field,
                         std::is_signed<T>::value ? host::Code::LONGLONG
                                                  : host::Code::UNSIGNED_LONGLONG,
                         values.data(), values.size(), true);
    } else {
      setInitialValueRaw(field, host::CodeOf<T>::code, values.data(), values.size(), true);
    }
  }
  template <class T> void setInitialValue(FieldRef field, const std::vector<T> &values) {
    setInitialValue(field, ArrayRef<T>(values));
  }
  template <class T>
  std::enable_if_t<std::is_arithmetic<T>::value || std::is_same<T, half>::value>
  setInitialValue(const Tensor &tensor, T value) {
    setInitialValueRaw(tensor, host::CodeOf<T>::code, &value, 1);
  }
  template <class T> void setInitialValue(const Tensor &tensor, ArrayRef<T> values) {
    setInitialValueRaw(tensor, host::CodeOf<T>::code, values.data(), values.size());
  }

  void setTileMapping(VertexRef vertex, unsigned tile);
  void setTileMapping(const Tensor &tensor, unsigned tile);
  void setTileMapping(const Tensor &tensor, const TileToTensorMapping &mapping);
  TileToTensorMapping getTileMapping(const Tensor &tensor) const;
  std::vector<std::vector<Interval>>
  getSortedContiguousRegions(const Tensor &tensor, ArrayRef<Interval> regions,
                             bool removeAliasedIntervals = false,
                             std::vector<std::size_t> *aliases = nullptr) const;

  void setPerfEstimate(const VertexRef &, std::uint64_t, std::uint64_t = 0) {}
  void registerPerfEstimator(StringRef, PerfEstimateFunc) {}
  double getMaxVertexFieldValue(StringRef vertexName, StringRef fieldName) const;
  std::size_t getMaxFieldDim(StringRef vertexName, StringRef fieldName, unsigned dimension) const;
  Function addFunction(const program::Program &program);

  core::Graph &impl() const { return *impl_; } // for the runtime

private:
  Tensor addConstantRaw(const Type &type, ArrayRef<std::size_t> shape, host::Code code,
                        const void *values, std::size_t count, const DebugContext &);
  void setInitialValueRaw(FieldRef field, host::Code code, const void *values, std::size_t count,
                          bool isArray);
  void setInitialValueRaw(const Tensor &tensor, host::Code code, const void *values,
                          std::size_t count);

  std::unique_ptr<core::Graph> impl_;
};

} // namespace poplar

#endif
