#include "registry.hpp"
#include "core.hpp"

#include <cctype>
#include <mutex>
#include <ostream>
#include <poputil/Broadcast.hpp>
#include <poputil/TileMapping.hpp>
#include <poputil/Util.hpp>

namespace popart {

error::~error() = default;
OpSerialiserBase::~OpSerialiserBase() = default;

// Element types.

namespace {
struct TypeInfo {
  const char *name, *lower;
  std::size_t size;
};
const TypeInfo types[] = {{"UINT8", "uint8", 1},
                          {"INT8", "int8", 1},
                          {"FLOAT8_143", "float8_143", 1},
                          {"FLOAT8_152", "float8_152", 1},
                          {"UINT16", "uint16", 2},
                          {"INT16", "int16", 2},
                          {"INT32", "int32", 4},
                          {"INT64", "int64", 8},
                          {"UINT32", "uint32", 4},
                          {"UINT64", "uint64", 8},
                          {"BOOL", "bool", 1},
                          {"FLOAT", "float32", 4},
                          {"FLOAT16", "float16", 2},
                          {"BFLOAT16", "bfloat16", 2},
                          {"DOUBLE", "float64", 8},
                          {"COMPLEX64", "complex64", 8},
                          {"COMPLEX128", "complex128", 16},
                          {"STRING", "string", 8},
                          {"UNDEFINED", "undefined", 0}};

std::string shapeText(const Shape &shape) {
  std::string result = "[";
  for (std::size_t i = 0; i != shape.size(); ++i)
    result += (i ? " " : "") + std::to_string(shape[i]);
  return result + "]";
}
} // namespace

std::string getDataTypeName(DataType type) { return types[int(type)].name; }

DataType dataTypeFromString(const std::string &name) {
  for (int i = 0; i != int(DataType::UNDEFINED); ++i)
    if (name == types[i].name || name == types[i].lower)
      return DataType(i);
  throw error("{} is no element type", name);
}

std::ostream &operator<<(std::ostream &stream, DataType type) {
  return stream << getDataTypeName(type);
}

TensorInfo::TensorInfo(std::string type, const Shape &shape)
    : TensorInfo(dataTypeFromString(type), shape) {}

std::int64_t TensorInfo::nelms() const {
  std::int64_t count = 1;
  for (std::int64_t size : shape_)
    count *= size;
  return count;
}

std::int64_t TensorInfo::nbytes() const { return nelms() * std::int64_t(getDataTypeBytes()); }

std::int64_t TensorInfo::dim(int index) const {
  if (index < 0 || index >= rank())
    throw error("Invalid input dimension {}, tensor of rank {}", index, rank());
  return shape_[std::size_t(index)];
}

const std::string &TensorInfo::data_type() const {
  static const auto &names = *new std::vector<std::string>([] {
    std::vector<std::string> all;
    for (const TypeInfo &type : types)
      all.push_back(type.name);
    return all;
  }());
  return names[std::size_t(type_)];
}

const std::string &TensorInfo::data_type_lcase() const {
  static const auto &names = *new std::vector<std::string>([] {
    std::vector<std::string> all;
    for (const TypeInfo &type : types)
      all.push_back(type.lower);
    return all;
  }());
  return names[std::size_t(type_)];
}

std::size_t TensorInfo::getDataTypeBytes() const { return types[int(type_)].size; }

void TensorInfo::append(std::ostream &stream) const {
  stream << getDataTypeName(type_) << ' ' << shapeText(shape_);
}

std::ostream &operator<<(std::ostream &stream, const TensorInfo &info) {
  info.append(stream);
  return stream;
}

std::ostream &operator<<(std::ostream &stream, const OperatorIdentifier &opid) {
  return stream << opid.domain << '.' << opid.type << ':' << opid.version;
}

// Attributes.

namespace {
const char *kindName(Attributes::Value::Kind kind) {
  static const char *const names[] = {"Int", "Float", "String", "Ints", "Floats", "Strings"};
  return names[int(kind)];
}
} // namespace

const Attributes::Value &Attributes::find(const std::string &name, Value::Kind kind) const {
  const auto found = values.find(name);
  if (found == values.end())
    throw error("no attribute key {}", name);
  const Value &value = found->second;
  const bool isEmpty = value.ints.empty() && value.floats.empty() && value.strings.empty();
  const bool isList = value.kind == Value::Kind::INTS || value.kind == Value::Kind::FLOATS ||
                      value.kind == Value::Kind::STRINGS;
  if (value.kind != kind && !(isEmpty && isList && kind >= Value::Kind::INTS))
    throw error("attribute {} is of type {}, not {}", name, kindName(value.kind), kindName(kind));
  return value;
}

using Kind = Attributes::Value::Kind;
template <> Attributes::Int Attributes::getAttribute<Attributes::Int>(const std::string &n) const {
  return find(n, Kind::INT).ints[0];
}
template <>
Attributes::Float Attributes::getAttribute<Attributes::Float>(const std::string &n) const {
  return find(n, Kind::FLOAT).floats[0];
}
template <>
Attributes::String Attributes::getAttribute<Attributes::String>(const std::string &n) const {
  return find(n, Kind::STRING).strings[0];
}
template <>
Attributes::Ints Attributes::getAttribute<Attributes::Ints>(const std::string &n) const {
  return find(n, Kind::INTS).ints;
}
template <>
Attributes::Floats Attributes::getAttribute<Attributes::Floats>(const std::string &n) const {
  return find(n, Kind::FLOATS).floats;
}
template <>
Attributes::Strings Attributes::getAttribute<Attributes::Strings>(const std::string &n) const {
  return find(n, Kind::STRINGS).strings;
}

// Ops.

Op::Op(const OperatorIdentifier &opid, const Settings &settings)
    : opid(opid), settings(settings) {}
Op::~Op() = default;

void Op::setup() { throw error("No setup() for {}", opid); }
void Op::appendAttributes(OpSerialiserBase &os) const { os.appendAttribute("opid", opid.type); }
void Op::appendOutlineAttributes(OpSerialiserBase &os) const { appendAttributes(os); }
std::vector<std::unique_ptr<Op>> Op::getGradOps() { return {}; }
const std::vector<GradInOutMapper> &Op::gradInputInfo() const {
  throw error("Op {} cannot get `grad input info'", opid);
}
const std::map<int, int> &Op::gradOutToNonGradIn() const {
  throw error("Op {} cannot get `grad out to non grad in'", opid);
}
bool Op::requiresRandomSeed() const { return false; }
InIndex Op::getSeedInIndex() const { throw error("Op {} does not have a random seed input", opid); }
std::set<InIndex> Op::optionalInputs() const { return {}; }
std::vector<std::tuple<OperatorIdentifier, float>> Op::inplacePriorityDefault() const {
  return {};
}
std::unique_ptr<Op> Op::getInplaceVariant(const OperatorIdentifier &wanted) const {
  throw error("Op {} has no in-place variant {}", opid, wanted);
}
void Op::growAliasModel(AliasModel &) const { throw error("Op {} has no alias model", opid); }
view::Regions Op::modifies(InIndex index) const {
  return {view::Region::getEmpty(std::size_t(inRank(index)))};
}
view::Regions Op::aliases(InIndex index, OutIndex) const {
  return {view::Region::getEmpty(std::size_t(inRank(index)))};
}
view::RegMap Op::fwdRegMap(InIndex, OutIndex) const {
  return [](const view::Region &region) { return view::Regions(1, region); };
}
view::RegMap Op::bwdRegMap(InIndex, OutIndex) const {
  return [](const view::Region &region) { return view::Regions(1, region); };
}
std::string Op::debugName() const {
  std::ostringstream stream;
  stream << "Op(" << (settings.name.empty() ? "" : settings.name + ", ") << opid << ')';
  return stream.str();
}

const Tensor *Op::inTensor(InIndex index) const {
  const auto found = inputs_.find(index);
  if (found == inputs_.end())
    throw error("{} has no input {}", debugName(), index);
  return &found->second;
}
const TensorInfo &Op::inInfo(InIndex index) const { return inTensor(index)->info; }
TensorId Op::inId(InIndex index) const { return inTensor(index)->id; }
TensorId Op::outId(OutIndex index) const { return "output " + std::to_string(index); }
TensorInfo &Op::outInfo(OutIndex index) { return outputs_[index]; }
const TensorInfo &Op::outInfo(OutIndex index) const {
  const auto found = outputs_.find(index);
  if (found == outputs_.end())
    throw error("{} has no output {}", debugName(), index);
  return found->second;
}

TensorInfo OpCreatorInfo::getInputTensorInfo(int index) const {
  const auto found = infos.find(index);
  if (found == infos.end())
    throw error("{} has no input {}", opid, index);
  return found->second;
}

// Registries.

namespace host {
namespace {
struct Registry {
  std::mutex mutex;
  std::vector<std::unique_ptr<RegisteredOp>> ops;
  std::vector<std::unique_ptr<RegisteredOpx>> opxs;
  std::vector<std::pair<OperatorIdentifier, ShapeInferenceFunction>> inferences;
};
Registry &registry() {
  static Registry &one = *new Registry;
  return one;
}
template <class T>
const T *find(const std::vector<std::unique_ptr<T>> &all, const OperatorIdentifier &opid,
              const std::string &library) {
  for (auto it = all.rbegin(); it != all.rend(); ++it)
    if ((*it)->opid == opid && (library.empty() || (*it)->library == library))
      return it->get();
  return nullptr;
}
} // namespace

const RegisteredOp *findOp(const OperatorIdentifier &opid, const std::string &library) {
  std::lock_guard<std::mutex> lock(registry().mutex);
  return find(registry().ops, opid, library);
}
const RegisteredOpx *findOpx(const OperatorIdentifier &opid, const std::string &library) {
  std::lock_guard<std::mutex> lock(registry().mutex);
  return find(registry().opxs, opid, library);
}
std::vector<std::string> registeredOps() {
  std::lock_guard<std::mutex> lock(registry().mutex);
  std::vector<std::string> result;
  for (const auto &op : registry().ops)
    result.push_back(op->opid.domain + "\t" + op->opid.type + "\t" +
                     std::to_string(op->opid.version) + "\t" + op->library);
  return result;
}
const ShapeInferenceFunction *findInference(const OperatorIdentifier &opid) {
  std::lock_guard<std::mutex> lock(registry().mutex);
  for (auto it = registry().inferences.rbegin(); it != registry().inferences.rend(); ++it)
    if (it->first == opid)
      return &it->second;
  return nullptr;
}
} // namespace host

void OpManager::registerOp(const OperatorIdentifier &opid, bool, OpFactory factory,
                           const void *address) {
  std::lock_guard<std::mutex> lock(host::registry().mutex);
  host::registry().ops.emplace_back(
      new host::RegisteredOp{opid, std::move(factory), poplar::core::libraryOf(address)});
}

RegisterShapeInferenceFunction::RegisterShapeInferenceFunction(const OperatorIdentifier &opid,
                                                               ShapeInferenceFunction function) {
  std::lock_guard<std::mutex> lock(host::registry().mutex);
  host::registry().inferences.emplace_back(opid, std::move(function));
}

namespace popx {

void OpxManager::registerOpx(const OperatorIdentifier &opid, OpxFactory factory,
                             const void *address) {
  std::lock_guard<std::mutex> lock(host::registry().mutex);
  host::registry().opxs.emplace_back(
      new host::RegisteredOpx{opid, std::move(factory), poplar::core::libraryOf(address)});
}

poplar::Type popType(DataType type) {
  switch (type) {
  case DataType::FLOAT: return poplar::FLOAT;
  case DataType::FLOAT16: return poplar::HALF;
  case DataType::INT32: return poplar::INT;
  case DataType::UINT32: return poplar::UNSIGNED_INT;
  case DataType::INT16: return poplar::SHORT;
  case DataType::UINT16: return poplar::UNSIGNED_SHORT;
  case DataType::INT8: return poplar::SIGNED_CHAR;
  case DataType::UINT8:
  case DataType::FLOAT8_143:
  case DataType::FLOAT8_152: return poplar::UNSIGNED_CHAR;
  case DataType::BOOL: return poplar::BOOL;
  default: throw error("There is no Poplar type for {}", type);
  }
}

poplar::Type popType(const TensorInfo &info) { return popType(info.dataType()); }

Opx::Opx(Op *op, Devicex *device) : op_p(op), device_(device) {}
Opx::~Opx() = default;

void Opx::grow(poplar::program::Sequence &) const {
  throw error("adding poplar::Tensors not implemented for {}", op_p->opid);
}
InputCreatorType Opx::getInputCreatorType(InIndex) const { return InputCreatorType::Deadend; }
poplar::Tensor Opx::createInput(InIndex, const poplar::DebugNameAndId &) const {
  throw error("{} cannot create an input", op_p->opid);
}
std::set<TensorId> Opx::mustExistBeforeCreate(InIndex) const { return {}; }
poplar::Tensor Opx::unwindTensorLayout(poplar::Tensor, InIndex, OutIndex) const {
  throw error("{} cannot unwind a layout", op_p->opid);
}
view::RegMap Opx::unwindRegion(InIndex, OutIndex) const {
  throw error("{} cannot unwind a region", op_p->opid);
}

const poplar::Tensor &Opx::getInTensor(InIndex index) const {
  const auto found = inputs_.find(index);
  if (found == inputs_.end())
    throw error("{} has no input {}", op_p->debugName(), index);
  return found->second;
}

const poplar::Tensor &Opx::getOutTensor(OutIndex index) const {
  const auto found = outputs_.find(index);
  if (found == outputs_.end())
    throw error("{} has not set output {}", op_p->debugName(), index);
  return found->second;
}

void Opx::setOutTensor(OutIndex index, const poplar::Tensor &tensor) const {
  if (!op_p->hasOutput(index))
    throw error("{} sets output {}, which setup() does not", op_p->debugName(), index);
  if (outputs_.count(index))
    throw error("{} sets output {} twice", op_p->debugName(), index);
  const TensorInfo &info = outInfo(index);
  if (tensor.shape() != info.shape_szt())
    throw error("{}: output {} has shape {}, but setup() says {}", op_p->debugName(), index,
                tensor.shapeToString(), info);
  if (tensor.elementType() != popType(info))
    throw error("{}: output {} is {}, but setup() says {}", op_p->debugName(), index,
                tensor.elementType().toString(), info);
  outputs_[index] = tensor;
}

poplar::Tensor Opx::cloneNcopy(poplar::program::Sequence &prog,
                               const poplar::Tensor &tensor) const {
  return poputil::duplicate(graph(), tensor, prog, debugContext("clone"));
}
poplar::Tensor Opx::cloneNcopy(poplar::program::Sequence &prog, const poplar::Tensor &tensor,
                               const std::string &name) const {
  return poputil::duplicate(graph(), tensor, prog, debugContext(name));
}

poplar::Tensor Opx::broadcast(const std::vector<std::int64_t> &shape,
                              poplar::Tensor tensor) const {
  poputil::broadcastToMatch(tensor, std::vector<std::size_t>(shape.begin(), shape.end()));
  return tensor;
}

poplar::Tensor Opx::getConst(const poplar::Type &type, const std::vector<std::size_t> &shape,
                             double value, const std::string &name) const {
  poplar::Tensor result =
      graph().addConstant(type, shape, float(value), debugContext(name));
  poputil::mapTensorLinearly(graph(), result);
  return result;
}

poplar::Tensor Opx::getScalarVariable(const poplar::Type &type, const std::string &name) const {
  poplar::Tensor result = graph().addVariable(type, {}, debugContext(name));
  graph().setTileMapping(result, 0);
  return result;
}

poplar::Tensor Opx::getZerosTensor(std::vector<std::size_t> shape, poplar::Type type,
                                   std::string name) const {
  return getConst(type, shape, 0, name);
}

poplar::DebugContext Opx::debugContext(const std::string &name) const {
  return poplar::DebugContext(getDebugNameAndId(name));
}

const poplar::DebugNameAndId Opx::getDebugNameAndId(const std::string &name) const {
  const std::string own = op_p->name().empty() ? op_p->opid.type : op_p->name();
  return poplar::DebugNameAndId(name.empty() ? own : own + "/" + name);
}

} // namespace popx
} // namespace popart
