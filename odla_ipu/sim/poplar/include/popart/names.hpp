#ifndef popart_names_hpp
#define popart_names_hpp

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace popart {

using InIndex = int;
using OutIndex = int;
using TensorId = std::string;
using OpId = int;
using Shape = std::vector<std::int64_t>;
using Rank = int;
using OpName = std::string;
using OpDomain = std::string;
using OpType = std::string;
using OpVersion = unsigned;

} // namespace popart

#endif
