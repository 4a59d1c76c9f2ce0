// Short vectors: v[i], {a, b} and element-wise operators, as the compiler's vector extension has.
#ifndef poplar_VectorTypes_hpp
#define poplar_VectorTypes_hpp

#include <poplar/HalfFloat.hpp>

#define ODLA_POPLAR_VECTOR(type, name, count)                                                      \
  typedef type name __attribute__((vector_size(sizeof(type) * count)))

#if defined(__FLT16_MANT_DIG__)
ODLA_POPLAR_VECTOR(half, half2, 2);
ODLA_POPLAR_VECTOR(half, half4, 4);
ODLA_POPLAR_VECTOR(half, half8, 8);
#endif
ODLA_POPLAR_VECTOR(float, float2, 2);
ODLA_POPLAR_VECTOR(float, float4, 4);
ODLA_POPLAR_VECTOR(signed char, char2, 2);
ODLA_POPLAR_VECTOR(signed char, char4, 4);
ODLA_POPLAR_VECTOR(unsigned char, uchar2, 2);
ODLA_POPLAR_VECTOR(unsigned char, uchar4, 4);
ODLA_POPLAR_VECTOR(short, short2, 2);
ODLA_POPLAR_VECTOR(short, short4, 4);
ODLA_POPLAR_VECTOR(unsigned short, ushort2, 2);
ODLA_POPLAR_VECTOR(unsigned short, ushort4, 4);
ODLA_POPLAR_VECTOR(int, int2, 2);
ODLA_POPLAR_VECTOR(int, int4, 4);
ODLA_POPLAR_VECTOR(unsigned int, uint2, 2);
ODLA_POPLAR_VECTOR(unsigned int, uint4, 4);
ODLA_POPLAR_VECTOR(int, long2, 2); // long is 32 bits wide on the IPU
ODLA_POPLAR_VECTOR(int, long4, 4);
ODLA_POPLAR_VECTOR(long long, longlong2, 2);
ODLA_POPLAR_VECTOR(long long, longlong4, 4);

#undef ODLA_POPLAR_VECTOR

#endif
