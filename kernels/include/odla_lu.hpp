// LU decomposition with partial pivoting, for codelets.
#ifndef odla_lu_hpp
#define odla_lu_hpp

#include <cmath>

namespace odla {

inline void exchangeRows(float *one, float *other, unsigned size) {
  for (unsigned j = 0; j != size; ++j) {
    const float moved = one[j];
    one[j] = other[j];
    other[j] = moved;
  }
}

inline void subtractRow(float *from, const float *row, float factor, unsigned begin, unsigned end) {
  for (unsigned j = begin; j < end; ++j)
    from[j] -= factor * row[j];
}

// Makes an upper triangle of a matrix [n,n] in rows, and gives its determinant; it stops where that
// is zero.  The rows of `other`, another matrix or null, go through the same.
inline float eliminate(float *lu, float *other, unsigned n) {
  float product = 1.0f;
  for (unsigned k = 0; k != n; ++k) {
    unsigned pivot = k;
    for (unsigned i = k + 1; i != n; ++i)
      if (std::fabs(lu[i * n + k]) > std::fabs(lu[pivot * n + k]))
        pivot = i;
    const float top = lu[pivot * n + k];
    product *= pivot == k ? top : -top;
    if (top == 0.0f)
      return product;
    if (pivot != k) {
      exchangeRows(&lu[k * n], &lu[pivot * n], n);
      if (other)
        exchangeRows(&other[k * n], &other[pivot * n], n);
    }
    for (unsigned i = k + 1; i < n; ++i) {
      const float factor = lu[i * n + k] / top;
      subtractRow(&lu[i * n], &lu[k * n], factor, k + 1, n);
      if (other)
        subtractRow(&other[i * n], &other[k * n], factor, 0, n);
    }
  }
  return product;
}

// The inverse, of what `eliminate` made of a matrix and the identity, in its place.
inline void substitute(const float *lu, float *other, unsigned n) {
  for (unsigned k = n; k-- > 0;) {
    const float top = lu[k * n + k];
    float *row = &other[k * n];
    for (unsigned j = 0; j != n; ++j)
      row[j] /= top;
    for (unsigned i = 0; i != k; ++i)
      subtractRow(&other[i * n], row, lu[i * n + k], 0, n);
  }
}

// Whether all of the diagonal is there, after `eliminate`.
inline bool isRegular(const float *lu, unsigned n) {
  for (unsigned k = 0; k != n; ++k)
    if (lu[k * n + k] == 0.0f)
      return false;
  return true;
}

} // namespace odla

#endif
