// How ops make themselves known.
#ifndef popart_opmanager_hpp
#define popart_opmanager_hpp

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <popart/attributes.hpp>
#include <popart/op.hpp>
#include <popart/operatoridentifier.hpp>

namespace popart {

class OpDefinition {
public:
  using DataTypes = std::vector<DataType>;

  struct Input {
    Input(std::string name, DataTypes types, bool isConst = false)
        : name(std::move(name)), supportedTensors(std::move(types)), constant(isConst) {}
    std::string name;
    DataTypes supportedTensors;
    bool constant;
  };
  struct Output {
    Output(std::string name, DataTypes types)
        : name(std::move(name)), supportedTensors(std::move(types)) {}
    std::string name;
    DataTypes supportedTensors;
  };
  struct Attribute {
    Attribute(std::string values) : supportedValuesRegex(std::move(values)) {}
    Attribute(const char *values) : supportedValuesRegex(values) {}
    std::string supportedValuesRegex;
  };
  using Inputs = std::vector<Input>;
  using Outputs = std::vector<Output>;
  using Attributes = std::map<std::string, Attribute>;

  OpDefinition() = default;
  OpDefinition(Inputs inputs, Outputs outputs, Attributes attributes)
      : inputs(std::move(inputs)), outputs(std::move(outputs)),
        attributes(std::move(attributes)) {}

  Inputs inputs;
  Outputs outputs;
  Attributes attributes;
};

class OpDefinitions : public std::map<OperatorIdentifier, OpDefinition> {
public:
  using std::map<OperatorIdentifier, OpDefinition>::map;
};

class OpCreatorInfo {
public:
  OpCreatorInfo(const OperatorIdentifier &opid, const Op::Settings &settings,
                const Attributes &attributes, const std::vector<TensorId> &inputs,
                const std::map<int, TensorInfo> &infos)
      : opid(opid), settings(settings), attributes(attributes), inputIds(inputs), infos(infos) {}

  const OperatorIdentifier &opid;
  const Op::Settings &settings;
  const Attributes &attributes;

  const std::vector<TensorId> &getInputIds() const { return inputIds; }
  bool hasInputIds() const { return true; }
  bool hasInputTensor(int index) const { return infos.count(index) != 0; }
  TensorInfo getInputTensorInfo(int index) const;

private:
  std::vector<TensorId> inputIds;
  std::map<int, TensorInfo> infos;
};

class OpManager {
public:
  using OpFactory = std::function<std::unique_ptr<Op>(const OpCreatorInfo &)>;

  // `address` lies in the library that holds the op.
  static void registerOp(const OperatorIdentifier &opid, bool isPublic, OpFactory factory,
                         const void *address);
};

template <class OP> class OpCreator {
public:
  explicit OpCreator(const OpDefinitions &definitions, bool isPublic = true) {
    for (const auto &definition : definitions)
      OpManager::registerOp(
          definition.first, isPublic,
          [](const OpCreatorInfo &info) -> std::unique_ptr<Op> {
            return make(info, std::is_constructible<OP, const OperatorIdentifier &,
                                                    const Op::Settings &>());
          },
          this);
  }
  OpCreator(const OpDefinitions &definitions, OpManager::OpFactory factory, bool isPublic) {
    for (const auto &definition : definitions)
      OpManager::registerOp(definition.first, isPublic, factory, this);
  }

private:
  static std::unique_ptr<Op> make(const OpCreatorInfo &info, std::true_type) {
    return std::unique_ptr<Op>(new OP(info.opid, info.settings));
  }
  static std::unique_ptr<Op> make(const OpCreatorInfo &info, std::false_type) {
    throw error("{} needs a factory: it has no constructor of identifier and settings", info.opid);
  }
};

} // namespace popart

#endif
