// What the codelets of our kernels share.
#ifndef odla_codelet_hpp
#define odla_codelet_hpp

#include <cmath>
#include <cstdint>
#include <limits>

#include <poplar/HalfFloat.hpp>
#include <poplar/Vertex.hpp>
#include <poplar/VectorTypes.hpp>

namespace odla {

using poplar::InOut;
using poplar::Input;
using poplar::MultiVertex;
using poplar::Output;
using poplar::Vector;
using poplar::Vertex;
using poplar::VectorLayout;

template <class T> using Pointer = Vector<T, VectorLayout::ONE_PTR>;

// Into half as the IPU converts: finite numbers stay finite.
inline void store(float &to, float value) { to = value; }
inline void store(half &to, float value) {
  const float most = 65504.0f;
  const float held = value > most ? most : (value < -most ? -most : value);
  const bool isInfinite = value - value != 0.0f; // or NaN, which neither comparison holds
  to = half(isInfinite ? value : held);
}

inline float larger(float a, float b) { return a > b ? a : b; }
inline float smaller(float a, float b) { return a < b ? a : b; }

// exp, within 2 units in the last place; loops over it become vector code.
inline float fastExp(float x) {
  const float high = 88.7228394f, low = -103.972084f;
  float held = x < high ? x : high;
  held = held > low ? held : low;
  const float scaled = held * 1.44269504f;
  const float magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to whole numbers
  const float whole = (scaled + magic) - magic;
  float rest = held - whole * 0.693145752f;
  rest = rest - whole * 1.42860677e-6f;
  float y = 1.9875691500e-4f;
  y = y * rest + 1.3981999507e-3f;
  y = y * rest + 8.3334519073e-3f;
  y = y * rest + 4.1665795894e-2f;
  y = y * rest + 1.6666665459e-1f;
  y = y * rest + 5.0000001201e-1f;
  y = y * rest * rest + rest + 1.0f;
  // 2^whole in two factors, so that both the largest and the subnormal results are reached.
  const std::int32_t n = std::int32_t(whole), first = n / 2, second = n - first;
  union {
    std::int32_t bits;
    float value;
  } one, two;
  one.bits = (first + 127) << 23;
  two.bits = (second + 127) << 23;
  y = y * one.value * two.value;
  y = x > high ? std::numeric_limits<float>::infinity() : y;
  y = x < low ? 0.0f : y;
  return x != x ? x : y;
}

inline float fastTanh(float x) {
  const float size = x < 0 ? -x : x;
  const float e = fastExp(2.0f * (size < 10.0f ? size : 10.0f));
  const float far = 1.0f - 2.0f / (e + 1.0f);
  const float square = x * x;
  float near = -2.76076847742355e-16f; // a rational function for small numbers
  near = near * square + 2.00018790482477e-13f;
  near = near * square - 8.60467152213735e-11f;
  near = near * square + 5.12229709037114e-08f;
  near = near * square + 1.48572235717979e-05f;
  near = near * square + 6.37261928875436e-04f;
  near = near * square + 4.89352455891786e-03f;
  float below = 1.19825839466702e-06f;
  below = below * square + 1.18534705686654e-04f;
  below = below * square + 2.26843463243900e-03f;
  below = below * square + 4.89352518554385e-03f;
  const float small = x * near / below;
  const float large = x < 0 ? -far : far;
  const float y = size < 1.0f ? small : large;
  return x != x ? x : y;
}

inline float sigmoid(float x) { return 1.0f / (1.0f + fastExp(-x)); }

// Gelu by its tanh approximation: x * sigmoid(2 * u) is 0.5 * x * (1 + tanh(u)).
inline float tanhGelu(float x) {
  return x * sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
}

// Its derivative.
inline float tanhGeluSlope(float x) {
  const float square = x * x;
  const float part = sigmoid(1.59576912f * (x + 0.044715f * x * square));
  const float slope = 1.59576912f * (1.0f + 0.134145f * square);
  // Far from zero the slope grows while part * (1 - part) is zero: their product is zero, too.
  const float change = square < 1000.0f ? x * slope * part * (1.0f - part) : 0.0f;
  const float y = part + change;
  return x != x ? x : y;
}

} // namespace odla

#endif
