#include "core.hpp"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <unistd.h>

namespace poplar {
namespace core {

// Registered vertices.

namespace {

std::mutex registryMutex;

std::map<std::string, std::vector<std::unique_ptr<VertexType>>> &registry() {
  static auto &vertices = *new std::map<std::string, std::vector<std::unique_ptr<VertexType>>>;
  return vertices;
}

Compiler compiler = nullptr;

bool hasVertices(const std::string &library) {
  std::lock_guard<std::mutex> lock(registryMutex);
  for (const auto &entry : registry())
    for (const auto &type : entry.second)
      if (type->library == library)
        return true;
  return false;
}

std::string knownVertices(const std::vector<std::string> &libraries) {
  std::lock_guard<std::mutex> lock(registryMutex);
  std::string names;
  for (const auto &entry : registry())
    for (const auto &type : entry.second)
      if (std::count(libraries.begin(), libraries.end(), type->library))
        names += (names.empty() ? "" : ", ") + entry.first;
  return names.empty() ? "none" : names;
}

} // namespace

std::string libraryOf(const void *address) {
  Dl_info info;
  return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

const VertexType *findVertex(const std::string &name, const std::vector<std::string> &libraries) {
  std::lock_guard<std::mutex> lock(registryMutex);
  const auto found = registry().find(canonicalName(name));
  if (found == registry().end())
    return nullptr;
  for (const std::string &library : libraries)
    for (const auto &type : found->second)
      if (type->library == library)
        return type.get();
  return found->second.back().get();
}

void setCompiler(Compiler function) { compiler = function; }

int VertexType::find(const std::string &field) const {
  for (std::size_t i = 0; i != fields.size(); ++i)
    if (fields[i].name == field)
      return int(i);
  return -1;
}

// The graph.

Tensor Graph::addVariable(Code code, const Dims &dims, const std::string &name) {
  Variable variable;
  variable.code = code;
  variable.count = product(dims);
  variable.name = name.empty() ? text("variable ", variables.size()) : name;
  auto table = std::make_shared<Table>();
  table->append({unsigned(variables.size()), 0, variable.count});
  variables.push_back(std::move(variable));
  return Tensor(wholeView(this, code, table, dims));
}

void Graph::map(const Run &run, unsigned tile) {
  if (tile >= tileCount())
    throw invalid_tile_mapping(text("tile ", tile, " for ", variables[run.variable].name,
                                    ": the target has ", tileCount(), " tiles"));
  if (run.size == 0)
    return;
  auto &tiles = variables[run.variable].tiles;
  const std::size_t begin = run.begin, end = run.begin + run.size;
  auto it = tiles.lower_bound(begin);
  if (it != tiles.begin()) {
    auto before = std::prev(it);
    if (before->second.first > begin) { // cut what reaches into the new interval
      const auto old = before->second;
      before->second.first = begin;
      if (old.first > end)
        tiles[end] = old;
    }
    if (before->second.first == begin && before->second.second == tile && it == tiles.end()) {
      before->second.first = end;
      return;
    }
  }
  for (it = tiles.lower_bound(begin); it != tiles.end() && it->first < end;) {
    const auto old = it->second;
    it = tiles.erase(it);
    if (old.first > end)
      tiles[end] = old;
  }
  tiles[begin] = {end, tile};
}

} // namespace core

namespace host {

void registerVertex(const VertexClass &vertex) {
  auto type = std::make_unique<core::VertexType>();
  type->vertex = &vertex;
  type->name = core::canonicalName(vertex.name);
  type->library = core::libraryOf(&vertex);
  unsigned count = 0;
  vertex.describe(nullptr, count);
  type->fields.resize(count);
  count = 0;
  vertex.describe(type->fields.data(), count);
  std::lock_guard<std::mutex> lock(core::registryMutex);
  core::registry()[type->name].push_back(std::move(type));
}

} // namespace host

using core::text;

namespace {

core::Vertex &vertexOf(core::Graph &graph, const FieldRef &field, unsigned &index) {
  const unsigned id = field.getVertex().getId();
  if (id >= graph.vertices.size())
    throw graph_connection_error(text("field ", field.getName(), " of a vertex that is not of this graph"));
  core::Vertex &vertex = graph.vertices[id];
  const int found = vertex.type->find(field.getName());
  if (found < 0) {
    std::string names;
    for (const host::Field &known : vertex.type->fields)
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    throw graph_connection_error(text("vertex ", vertex.type->name, " has no field ",
                                      field.getName(), "; it has: ", names));
  }
  index = unsigned(found);
  return vertex;
}

void checkEdge(const core::Vertex &vertex, const host::Field &field, const Tensor &tensor) {
  const auto where = [&] { return text("field ", field.name, " of vertex ", vertex.type->name); };
  if (tensor.view().code != field.code)
    throw graph_connection_error(text(where(), " holds ", core::nameOf(field.code),
                                      "; it is connected to ", tensor));
  if ((field.form == host::Form::SCALAR) && tensor.numElements() != 1)
    throw graph_connection_error(text(where(), " is one element; it is connected to ", tensor));
  if (field.direction != host::Direction::IN && tensor.containsConstant())
    throw graph_connection_error(text(where(), " is written, but ", tensor, " holds constants"));
}

} // namespace

Graph::Graph(const Target &target) : impl_(new core::Graph) { impl_->target = target; }
Graph::~Graph() = default;
Graph::Graph(Graph &&) noexcept = default;

const Target &Graph::getTarget() const { return impl_->target; }

namespace {

void addLibrary(core::Graph &graph, const std::string &path, const char *source,
                const std::string &flags) {
  if (!core::compiler)
    throw poplar_error(text("addCodelets(", path, "): there is nothing that compiles codelets"));
  const std::string made = core::compiler(path.c_str(), source, flags.c_str());
  if (made.empty() || made[0] == '!')
    throw poplar_error(text("addCodelets(", path, "): ", made.empty() ? "failed" : made.substr(1)));
  void *handle = dlopen(made.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw poplar_error(text("addCodelets(", path, "): ", dlerror()));
  graph.libraries.push_back(made);
}

bool exists(const std::string &path) { return access(path.c_str(), R_OK) == 0; }

} // namespace

bool Graph::addCodelets(StringRef source, CodeletFileType, StringRef compileFlags, StringRef) {
  // Codelets that were built together with the op are there already.
  if (!impl_->libraries.empty() && core::hasVertices(impl_->libraries.front()))
    return true;
  std::string path = source;
  const std::size_t dot = path.rfind('.');
  if (dot != std::string::npos && path.substr(dot) == ".gp" && exists(path.substr(0, dot) + ".cpp"))
    path = path.substr(0, dot) + ".cpp"; // the source beside the SDK's object
  if (!exists(path))
    throw poplar_error(text("addCodelets: there is no file ", path));
  if (dot != std::string::npos && path.substr(dot) == ".gp")
    throw poplar_error(text("addCodelets(", path, "): it holds code for the IPU only; put the "
                            "source, with .cpp for .gp, beside it"));
  addLibrary(*impl_, path, nullptr, compileFlags);
  return true;
}

void Graph::addCodelets(std::stringstream &source, StringRef compileFlags, CodeletFileType,
                        StringRef) {
  addLibrary(*impl_, "<stream>", source.str().c_str(), compileFlags);
}

bool Graph::hasCodelet(StringRef name) const {
  return core::findVertex(name, impl_->libraries) != nullptr;
}

Tensor Graph::addVariable(const Type &type, ArrayRef<std::size_t> shape, const DebugContext &name) {
  return impl_->addVariable(type.code(), shape, name.getPathName());
}

Tensor Graph::addVariable(const Type &type, ArrayRef<std::size_t> shape,
                          VariableMappingMethod method, const DebugContext &name) {
  Tensor result = addVariable(type, shape, name);
  if (method == VariableMappingMethod::LINEAR && result.numElements()) {
    const std::size_t count = result.numElements(), tiles = impl_->tileCount();
    const std::size_t share = (count + tiles - 1) / tiles;
    for (std::size_t begin = 0, tile = 0; begin < count; begin += share, ++tile)
      setTileMapping(result.flatten().slice(begin, std::min(begin + share, count)), unsigned(tile));
  }
  return result;
}

Tensor Graph::addConstantRaw(const Type &type, ArrayRef<std::size_t> shape, host::Code code,
                             const void *values, std::size_t count, const DebugContext &name) {
  Tensor result = addVariable(type, shape, name);
  core::Variable &variable = impl_->variables.back();
  if (count != 1 && count != variable.count)
    throw graph_error(text("addConstant: ", count, " values for shape ", result.shapeToString()));
  variable.isConstant = true;
  variable.initial.resize(variable.bytes());
  const std::size_t size = core::sizeOf(type.code());
  if (variable.count == 0)
    return result;
  core::convert(code, values, type.code(), variable.initial.data(), count);
  for (std::size_t i = count; i < variable.count; ++i)
    std::memcpy(&variable.initial[i * size], variable.initial.data(), size);
  return result;
}

Tensor Graph::clone(const Type &type, const Tensor &like, const DebugContext &name,
                    TensorCloneMethod) {
  Tensor result = addVariable(type, like.shape(), name);
  std::size_t position = 0;
  const unsigned made = unsigned(impl_->variables.size() - 1);
  for (const core::Run &run : core::runsOf(like.view())) {
    const auto tiles = impl_->variables[run.variable].tiles;
    for (const auto &entry : tiles) {
      const std::size_t begin = std::max(entry.first, run.begin);
      const std::size_t end = std::min(entry.second.first, run.begin + run.size);
      if (begin < end)
        impl_->map({made, position + begin - run.begin, end - begin}, entry.second.second);
    }
    position += run.size;
  }
  return result;
}

Tensor Graph::clone(const Tensor &like, const DebugContext &name, TensorCloneMethod method) {
  return clone(like.elementType(), like, name, method);
}

ComputeSet Graph::addComputeSet(const DebugContext &name) {
  impl_->sets.push_back({name.getPathName(), {}});
  return ComputeSet(unsigned(impl_->sets.size() - 1));
}

VertexRef Graph::addVertex(ComputeSet set, StringRef type) {
  if (set.getId() >= impl_->sets.size())
    throw graph_error(text("addVertex(", std::string(type), "): not a compute set of this graph"));
  const core::VertexType *found = core::findVertex(type, impl_->libraries);
  if (!found)
    throw graph_error(text("addVertex: there is no codelet named ", std::string(type),
                           "; codelets of this op: ", core::knownVertices(impl_->libraries),
                           " (a template needs an explicit instantiation)"));
  core::Vertex vertex;
  vertex.type = found;
  vertex.set = set.getId();
  const VertexRef result(unsigned(impl_->vertices.size()));
  impl_->vertices.push_back(std::move(vertex));
  impl_->sets[set.getId()].vertices.push_back(result.getId());
  return result;
}

VertexRef Graph::addVertex(ComputeSet set, StringRef type, ArrayRef<ConnectionDesc> connections) {
  const VertexRef vertex = addVertex(set, type);
  for (const ConnectionDesc &connection : connections) {
    if (connection.isList)
      connect(vertex[connection.field], ArrayRef<Tensor>(connection.tensors));
    else
      connect(vertex[connection.field], connection.tensors[0]);
  }
  return vertex;
}

void Graph::connect(FieldRef field, const Tensor &tensor) {
  unsigned index;
  core::Vertex &vertex = vertexOf(*impl_, field, index);
  const host::Field &known = vertex.type->fields[index];
  const auto where = [&] { return text("field ", known.name, " of vertex ", vertex.type->name); };
  if (known.direction == host::Direction::NONE)
    throw graph_connection_error(text(where(), " is no edge: use setInitialValue"));
  const bool isList = known.form == host::Form::SCALARS || known.form == host::Form::VECTORS;
  const bool isWhole = field.getIndex() == FieldRef::whole;
  if (isList && isWhole) {
    // One edge for each row, or element.
    if (known.form == host::Form::VECTORS && tensor.rank() != 2)
      throw graph_connection_error(text(where(), " is a list of regions; it is connected to ",
                                        tensor, ": accepted are a matrix and a list of tensors"));
    std::vector<Tensor> rows;
    const Tensor all = known.form == host::Form::SCALARS ? tensor.flatten() : tensor;
    for (std::size_t i = 0; i != all.dim(0); ++i)
      rows.push_back(all[i]);
    return connect(field, rows);
  }
  if (!isList && !isWhole)
    throw graph_connection_error(text(where(), " is no list"));
  checkEdge(vertex, known, tensor);
  core::Connection connection{index, field.getIndex(), false, {}};
  connection.views.push_back(std::make_shared<core::View>(tensor.view()));
  vertex.connections.push_back(std::move(connection));
}

void Graph::connect(FieldRef field, ArrayRef<Tensor> tensors) {
  unsigned index;
  core::Vertex &vertex = vertexOf(*impl_, field, index);
  const host::Field &known = vertex.type->fields[index];
  if (known.form != host::Form::SCALARS && known.form != host::Form::VECTORS) {
    if (tensors.size() == 1)
      return connect(field, tensors[0]);
    if (known.form == host::Form::VECTOR && tensors.size() != 0) {
      std::vector<Tensor> flat;
      for (const Tensor &tensor : tensors)
        flat.push_back(tensor.flatten());
      return connect(field, concat(flat));
    }
    throw graph_connection_error(text("field ", known.name, " of vertex ", vertex.type->name,
                                      " is no list; it is connected to ", tensors.size(),
                                      " tensors"));
  }
  core::Connection connection{index, FieldRef::whole, true, {}};
  for (const Tensor &tensor : tensors) {
    checkEdge(vertex, known, tensor);
    if (known.form == host::Form::SCALARS && tensor.numElements() != 1)
      throw graph_connection_error(text("field ", known.name, " of vertex ", vertex.type->name,
                                        " is a list of elements; one is connected to ", tensor));
    connection.views.push_back(std::make_shared<core::View>(tensor.view()));
  }
  vertex.connections.push_back(std::move(connection));
}

void Graph::setFieldSize(FieldRef field, std::size_t size) {
  unsigned index;
  core::Vertex &vertex = vertexOf(*impl_, field, index);
  const host::Form form = vertex.type->fields[index].form;
  if (form != host::Form::SCALARS && form != host::Form::VECTORS &&
      form != host::Form::STATE_VECTOR)
    throw graph_connection_error(text("setFieldSize: field ", field.getName(), " of vertex ",
                                      vertex.type->name, " is no list"));
  vertex.sizes.emplace_back(index, size);
}

void Graph::setInitialValueRaw(FieldRef field, host::Code code, const void *values,
                               std::size_t count, bool isArray) {
  unsigned index;
  core::Vertex &vertex = vertexOf(*impl_, field, index);
  const host::Field &known = vertex.type->fields[index];
  const auto where = [&] { return text("field ", known.name, " of vertex ", vertex.type->name); };
  if (known.direction != host::Direction::NONE)
    throw graph_error(text("setInitialValue: ", where(), " is an edge: use connect"));
  if (isArray != (known.form == host::Form::STATE_VECTOR))
    throw graph_error(text("setInitialValue: ", where(),
                           isArray ? " takes one number" : " takes an array"));
  core::InitialValue value{index, std::vector<char>(count * known.size), count, isArray};
  core::convert(code, values, known.code, value.bytes.data(), count);
  vertex.values.push_back(std::move(value));
}

void Graph::setInitialValueRaw(const Tensor &tensor, host::Code code, const void *values,
                               std::size_t count) {
  const std::size_t total = tensor.numElements(), size = core::sizeOf(tensor.view().code);
  if (count != 1 && count != total)
    throw graph_error(text("setInitialValue: ", count, " values for ", tensor));
  std::vector<char> bytes(std::max<std::size_t>(count, 1) * size);
  core::convert(code, values, tensor.view().code, bytes.data(), count);
  std::size_t position = 0;
  for (const core::Run &run : core::runsOf(tensor.view())) {
    core::Variable &variable = impl_->variables[run.variable];
    variable.initial.resize(variable.bytes());
    variable.initialised.push_back(run);
    for (std::size_t i = 0; i != run.size; ++i, ++position)
      std::memcpy(&variable.initial[(run.begin + i) * size],
                  &bytes[count == 1 ? 0 : position * size], size);
  }
}

void Graph::setTileMapping(VertexRef vertex, unsigned tile) {
  if (vertex.getId() >= impl_->vertices.size())
    throw graph_error("setTileMapping: not a vertex of this graph");
  if (tile >= impl_->tileCount())
    throw invalid_tile_mapping(text("tile ", tile, " for a vertex ",
                                    impl_->vertices[vertex.getId()].type->name,
                                    ": the target has ", impl_->tileCount(), " tiles"));
  impl_->vertices[vertex.getId()].tile = long(tile);
}

void Graph::setTileMapping(const Tensor &tensor, unsigned tile) {
  for (const core::Run &run : core::runsOf(tensor.view()))
    impl_->map(run, tile);
}

void Graph::setTileMapping(const Tensor &tensor, const TileToTensorMapping &mapping) {
  const Tensor flat = tensor.flatten();
  std::vector<std::pair<Interval, unsigned>> intervals;
  for (std::size_t tile = 0; tile != mapping.size(); ++tile)
    for (const Interval &interval : mapping[tile]) {
      if (interval.begin() > interval.end() || interval.end() > flat.numElements())
        throw invalid_tile_mapping(text("elements ", interval.begin(), " to ", interval.end(),
                                        " of ", tensor));
      if (interval.size())
        intervals.emplace_back(interval, unsigned(tile));
    }
  std::sort(intervals.begin(), intervals.end());
  for (std::size_t i = 1; i < intervals.size(); ++i)
    if (intervals[i].first.begin() < intervals[i - 1].first.end())
      throw invalid_tile_mapping(text("element ", intervals[i].first.begin(), " of ", tensor,
                                      " is mapped twice, to tiles ", intervals[i - 1].second,
                                      " and ", intervals[i].second));
  for (const auto &entry : intervals)
    setTileMapping(flat.slice(entry.first), entry.second);
}

Graph::TileToTensorMapping Graph::getTileMapping(const Tensor &tensor) const {
  TileToTensorMapping result(impl_->tileCount());
  std::size_t position = 0;
  for (const core::Run &run : core::runsOf(tensor.view())) {
    const auto &tiles = impl_->variables[run.variable].tiles;
    auto it = tiles.upper_bound(run.begin);
    if (it != tiles.begin())
      --it;
    std::size_t mapped = run.begin;
    for (; it != tiles.end() && it->first < run.begin + run.size; ++it) {
      const std::size_t begin = std::max(it->first, run.begin);
      const std::size_t end = std::min(it->second.first, run.begin + run.size);
      if (begin >= end)
        continue;
      if (begin != mapped)
        break;
      mapped = end;
      auto &intervals = result[it->second.second];
      const std::size_t first = position + begin - run.begin;
      if (!intervals.empty() && intervals.back().end() == first)
        intervals.back() = Interval(intervals.back().begin(), first + end - begin);
      else
        intervals.emplace_back(first, first + end - begin);
    }
    if (mapped != run.begin + run.size)
      throw invalid_tile_mapping(text("getTileMapping: element ", mapped, " of ",
                                      impl_->variables[run.variable].name, " has no tile"));
    position += run.size;
  }
  return result;
}

std::vector<std::vector<Interval>>
Graph::getSortedContiguousRegions(const Tensor &tensor, ArrayRef<Interval> regions, bool,
                                  std::vector<std::size_t> *) const {
  // Intervals whose elements lie in memory one after the other share an entry.
  struct Piece {
    core::Run run;
    Interval interval;
  };
  const Tensor flat = tensor.flatten();
  std::vector<Piece> pieces;
  for (const Interval &region : regions) {
    std::size_t position = region.begin();
    for (const core::Run &run : core::runsOf(flat.slice(region).view())) {
      pieces.push_back({run, Interval(position, position + run.size)});
      position += run.size;
    }
  }
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece &a, const Piece &b) {
    return a.run.variable != b.run.variable ? a.run.variable < b.run.variable
                                            : a.run.begin < b.run.begin;
  });
  std::vector<std::vector<Interval>> result;
  for (std::size_t i = 0; i != pieces.size(); ++i) {
    const bool continues = i && pieces[i].run.variable == pieces[i - 1].run.variable &&
                           pieces[i].run.begin == pieces[i - 1].run.begin + pieces[i - 1].run.size;
    if (!continues)
      result.emplace_back();
    auto &last = result.back();
    if (!last.empty() && last.back().end() == pieces[i].interval.begin())
      last.back() = Interval(last.back().begin(), pieces[i].interval.end());
    else
      last.push_back(pieces[i].interval);
  }
  return result;
}

double Graph::getMaxVertexFieldValue(StringRef vertexName, StringRef fieldName) const {
  const core::VertexType *type = core::findVertex(vertexName, impl_->libraries);
  const int index = type ? type->find(fieldName) : -1;
  if (index < 0)
    throw graph_error(text("getMaxVertexFieldValue: there is no field ", std::string(fieldName),
                           " of ", std::string(vertexName)));
  const host::Field &field = type->fields[std::size_t(index)];
  const bool isSigned = field.code == host::Code::INT || field.code == host::Code::SHORT ||
                        field.code == host::Code::SIGNED_CHAR || field.code == host::Code::CHAR ||
                        field.code == host::Code::LONGLONG;
  if (field.code == host::Code::FLOAT)
    return 3.4028234663852886e38;
  if (field.code == host::Code::HALF)
    return 65504;
  double result = 1;
  for (std::size_t bit = isSigned ? 1 : 0; bit != 8 * field.size; ++bit)
    result *= 2;
  return result - 1;
}

std::size_t Graph::getMaxFieldDim(StringRef, StringRef, unsigned) const {
  return std::size_t(1) << 20;
}

Function Graph::addFunction(const program::Program &program) {
  impl_->functions.push_back(program.copy());
  return Function(unsigned(impl_->functions.size() - 1));
}

} // namespace poplar
