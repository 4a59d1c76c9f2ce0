// The 16-bit floating-point type of codelets.  Like on the IPU it is a global name.
#ifndef poplar_HalfFloat_hpp
#define poplar_HalfFloat_hpp

#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__FLT16_MANT_DIG__)

typedef _Float16 half;

#else

// For compilers without _Float16: two bytes that convert to and from float, rounding to even.
class half {
public:
  half() = default;
  half(float value) : bits(pack(value)) {}
  operator float() const { return unpack(bits); }
  half &operator+=(float other) { return *this = half(float(*this) + other); }
  half &operator-=(float other) { return *this = half(float(*this) - other); }
  half &operator*=(float other) { return *this = half(float(*this) * other); }
  half &operator/=(float other) { return *this = half(float(*this) / other); }

private:
  std::uint16_t bits;

  static std::uint16_t pack(float value) {
    std::uint32_t f;
    std::memcpy(&f, &value, 4);
    const std::uint16_t sign = std::uint16_t((f >> 16) & 0x8000u);
    f &= 0x7fffffffu;
    if (f > 0x7f800000u)
      return std::uint16_t(sign | 0x7e00u);
    if (f >= 0x477ff000u)
      return std::uint16_t(sign | 0x7c00u);
    if (f < 0x33000001u)
      return sign;
    int exponent = int(f >> 23);
    std::uint32_t mantissa = (f & 0x7fffffu) | 0x800000u;
    const int shift = exponent < 113 ? 126 - exponent : 13;
    const std::uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1u);
    const std::uint32_t middle = 1u << (shift - 1);
    std::uint32_t result = exponent < 113 ? kept : kept - 0x400u + (std::uint32_t(exponent - 112) << 10);
    result += rest > middle || (rest == middle && (kept & 1u));
    return std::uint16_t(sign | result);
  }

  static float unpack(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16;
    std::uint32_t exponent = (bits >> 10) & 31u, mantissa = bits & 0x3ffu, f;
    if (exponent == 31)
      f = sign | 0x7f800000u | (mantissa << 13);
    else if (exponent)
      f = sign | ((exponent + 112u) << 23) | (mantissa << 13);
    else if (!mantissa)
      f = sign;
    else {
      exponent = 113;
      while (!(mantissa & 0x400u)) {
        mantissa <<= 1;
        --exponent;
      }
      f = sign | (exponent << 23) | ((mantissa & 0x3ffu) << 13);
    }
    float value;
    std::memcpy(&value, &f, 4);
    return value;
  }
};

#endif

// 8-bit floats are only carried, not computed with.
struct quarter {
  std::uint8_t bits;
};

namespace std {
template <> class numeric_limits<half> {
public:
  static constexpr bool is_specialized = true;
  static constexpr bool is_signed = true;
  static constexpr bool is_integer = false;
  static constexpr bool is_exact = false;
  static constexpr bool has_infinity = false; // as on the IPU
  static constexpr bool has_quiet_NaN = true;
  static constexpr int digits = 11;
  static constexpr int radix = 2;
  static half min() { return half(0.0f); } // as on the IPU
  static half max() { return half(65504.0f); }
  static half lowest() { return half(-65504.0f); }
  static half epsilon() { return half(0.0009765625f); }
  static half infinity() { return half(std::numeric_limits<float>::infinity()); }
  static half quiet_NaN() { return half(std::numeric_limits<float>::quiet_NaN()); }
};
} // namespace std

#endif
