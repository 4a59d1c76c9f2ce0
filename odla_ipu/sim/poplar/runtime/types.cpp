#include "core.hpp"

#include <cctype>
#include <cmath>
#include <ostream>

namespace poplar {

poplar_error::poplar_error(const std::string &message) : std::runtime_error(message) {}
poplar_error::~poplar_error() = default;

namespace core {

namespace {
struct CodeInfo {
  const char *name;
  std::size_t size;
};
const CodeInfo infos[] = {{"float", 4},          {"half", 2},          {"quarter", 1},
                          {"int", 4},            {"unsigned int", 4},  {"short", 2},
                          {"unsigned short", 2}, {"char", 1},          {"signed char", 1},
                          {"unsigned char", 1},  {"bool", 1},          {"long long", 8},
                          {"unsigned long long", 8}, {"long", 4},      {"unsigned long", 4}};
} // namespace

std::size_t sizeOf(Code code) { return infos[int(code)].size; }
const char *nameOf(Code code) { return infos[int(code)].name; }

std::size_t product(const Dims &dims) {
  std::size_t result = 1;
  for (std::size_t dim : dims)
    result *= dim;
  return result;
}

std::string toString(const Dims &dims) {
  std::string result = "{";
  for (std::size_t i = 0; i != dims.size(); ++i)
    result += (i ? "," : "") + std::to_string(dims[i]);
  return result + "}";
}

namespace {

template <class From, class To>
void convertAll(const void *source, void *target, std::size_t count) {
  const From *from = static_cast<const From *>(source);
  To *to = static_cast<To *>(target);
  for (std::size_t i = 0; i != count; ++i) {
    if constexpr (std::is_same<To, bool>::value)
      to[i] = from[i] != From(0);
    else if constexpr (std::is_integral<To>::value && !std::is_integral<From>::value) {
      const double value = double(float(from[i]));
      to[i] = std::isfinite(value) && std::fabs(value) < 9.2e18 ? To((long long)value) : To(0);
    } else if constexpr (std::is_same<To, half>::value || std::is_same<From, half>::value)
      to[i] = To(float(from[i]));
    else
      to[i] = To(from[i]);
  }
}

template <class From>
void convertFrom(const void *source, Code to, void *target, std::size_t count) {
  switch (to) {
  case Code::FLOAT: return convertAll<From, float>(source, target, count);
  case Code::HALF: return convertAll<From, half>(source, target, count);
  case Code::INT: case Code::LONG: return convertAll<From, std::int32_t>(source, target, count);
  case Code::UNSIGNED_INT: case Code::UNSIGNED_LONG:
    return convertAll<From, std::uint32_t>(source, target, count);
  case Code::SHORT: return convertAll<From, std::int16_t>(source, target, count);
  case Code::UNSIGNED_SHORT: return convertAll<From, std::uint16_t>(source, target, count);
  case Code::CHAR: case Code::SIGNED_CHAR:
    return convertAll<From, signed char>(source, target, count);
  case Code::UNSIGNED_CHAR: case Code::QUARTER:
    return convertAll<From, unsigned char>(source, target, count);
  case Code::BOOL: return convertAll<From, bool>(source, target, count);
  case Code::LONGLONG: return convertAll<From, std::int64_t>(source, target, count);
  case Code::UNSIGNED_LONGLONG: return convertAll<From, std::uint64_t>(source, target, count);
  }
}

} // namespace

void convert(Code from, const void *source, Code to, void *target, std::size_t count) {
  switch (from) {
  case Code::FLOAT: return convertFrom<float>(source, to, target, count);
  case Code::HALF: return convertFrom<half>(source, to, target, count);
  case Code::INT: case Code::LONG: return convertFrom<std::int32_t>(source, to, target, count);
  case Code::UNSIGNED_INT: case Code::UNSIGNED_LONG:
    return convertFrom<std::uint32_t>(source, to, target, count);
  case Code::SHORT: return convertFrom<std::int16_t>(source, to, target, count);
  case Code::UNSIGNED_SHORT: return convertFrom<std::uint16_t>(source, to, target, count);
  case Code::CHAR: case Code::SIGNED_CHAR:
    return convertFrom<signed char>(source, to, target, count);
  case Code::UNSIGNED_CHAR: case Code::QUARTER:
    return convertFrom<unsigned char>(source, to, target, count);
  case Code::BOOL: return convertFrom<unsigned char>(source, to, target, count);
  case Code::LONGLONG: return convertFrom<std::int64_t>(source, to, target, count);
  case Code::UNSIGNED_LONGLONG: return convertFrom<std::uint64_t>(source, to, target, count);
  }
}

std::string canonicalName(const std::string &name) {
  std::string words; // without blanks except between words
  const auto isWord = [](char c) { return std::isalnum((unsigned char)c) || c == '_'; };
  for (std::size_t i = 0; i != name.size(); ++i) {
    const char c = name[i];
    if (std::isspace((unsigned char)c))
      continue;
    if (isWord(c) && i && std::isspace((unsigned char)name[i - 1]) && !words.empty() &&
        isWord(words.back()))
      words += ' ';
    words += c;
  }
  std::string result;
  for (std::size_t i = 0; i != words.size();) {
    if (!isWord(words[i])) {
      result += words[i++];
      continue;
    }
    std::size_t end = i;
    while (end != words.size() && (isWord(words[end]) || words[end] == ' '))
      ++end;
    std::string word = words.substr(i, end - i);
    i = end;
    if (word == "poplar" && words.compare(i, 2, "::") == 0) {
      i += 2;
      continue;
    }
    if (std::isdigit((unsigned char)word[0]))
      while (word.size() > 1 && std::string("uUlL").find(word.back()) != std::string::npos)
        word.pop_back();
    if (word == "unsigned")
      word = "unsigned int";
    else if (word == "signed")
      word = "int";
    else if (word == "short int")
      word = "short";
    else if (word == "unsigned short int" || word == "short unsigned int")
      word = "unsigned short";
    result += word;
  }
  return result;
}

} // namespace core

std::string Type::toString() const { return core::nameOf(code_); }

std::ostream &operator<<(std::ostream &stream, const Type &type) {
  return stream << type.toString();
}

Target::Target(unsigned tiles, unsigned workers, std::size_t bytesPerTile, double clock,
               std::string architecture)
    : tiles_(tiles), workers_(workers), bytesPerTile_(bytesPerTile), clock_(clock),
      architecture_(std::move(architecture)) {}

std::size_t Target::getTypeSize(const Type &type) const { return core::sizeOf(type.code()); }

unsigned Target::getVectorWidth(const Type &type) const {
  const std::size_t size = getTypeSize(type);
  return type == FLOAT ? 2 : type == HALF ? 4 : type == QUARTER ? 8 : size >= 8 ? 1 : unsigned(8 / size);
}

} // namespace poplar
