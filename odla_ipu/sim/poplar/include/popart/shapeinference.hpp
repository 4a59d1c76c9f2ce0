#ifndef popart_shapeinference_hpp
#define popart_shapeinference_hpp

#include <functional>
#include <map>

#include <popart/attributes.hpp>
#include <popart/operatoridentifier.hpp>
#include <popart/tensorinfo.hpp>

namespace popart {

class ShapeInferenceContext {
public:
  ShapeInferenceContext(const std::map<int, TensorInfo> &inputs, const Attributes &attributes,
                        int outputs)
      : inputs(inputs), attributes(attributes), outputCount(outputs) {}

  const TensorInfo &inInfo(int index) const { return inputs.at(index); }
  const Shape &inShape(int index) const { return inInfo(index).shape(); }
  DataType inType(int index) const { return inInfo(index).dataType(); }
  TensorInfo &outInfo(int index) { return outputs[index]; }
  bool hasInput(int index) const { return inputs.count(index) != 0; }
  int getNumOutputs() const { return outputCount; }
  int getNumInputs() const { return static_cast<int>(inputs.size()); }
  const Attributes &getAttributes() const { return attributes; }
  bool hasAttribute(const std::string &name) const { return attributes.hasAttribute(name); }
  template <class T> T getAttribute(const std::string &name) const {
    return attributes.getAttribute<T>(name);
  }
  template <class T> T getAttribute(const std::string &name, const T &whenAbsent) const {
    return attributes.getAttribute<T>(name, whenAbsent);
  }
  const std::map<int, TensorInfo> &getOutputs() const { return outputs; }

private:
  std::map<int, TensorInfo> inputs, outputs;
  Attributes attributes;
  int outputCount;
};

using ShapeInferenceFunction = std::function<void(ShapeInferenceContext &)>;

class RegisterShapeInferenceFunction {
public:
  RegisterShapeInferenceFunction(const OperatorIdentifier &opid, ShapeInferenceFunction function);
};

} // namespace popart

#endif
