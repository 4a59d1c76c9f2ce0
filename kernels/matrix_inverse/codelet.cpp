// Inverses by LU decomposition with partial pivoting.
#include "../include/odla_codelet.hpp"

using namespace odla;

// One matrix [n,n], in rows.  The rows of the identity go through the same exchanges and
// eliminations, then through back substitution.
class InverseOf : public Vertex {
public:
  Input<Vector<float>> input;
  Output<Pointer<float>> lu; // scratch
  Output<Vector<float>> result;
  unsigned size;

  void compute() {
    const unsigned n = size;
    for (unsigned i = 0; i != n; ++i)
      for (unsigned j = 0; j != n; ++j) {
        lu[i * n + j] = input[i * n + j];
        result[i * n + j] = i == j ? 1.0f : 0.0f;
      }
    for (unsigned k = 0; k != n; ++k) {
      unsigned pivot = k;
      for (unsigned i = k + 1; i != n; ++i)
        if (std::fabs(lu[i * n + k]) > std::fabs(lu[pivot * n + k]))
          pivot = i;
      const float top = lu[pivot * n + k];
      if (top == 0.0f)
        return singular();
      if (pivot != k) {
        exchange(&lu[k * n], &lu[pivot * n]);
        exchange(&result[k * n], &result[pivot * n]);
      }
      for (unsigned i = k + 1; i < n; ++i) {
        const float factor = lu[i * n + k] / top;
        subtract(&lu[i * n], &lu[k * n], factor);
        subtract(&result[i * n], &result[k * n], factor);
      }
    }
    for (unsigned k = n; k-- > 0;) {
      const float top = lu[k * n + k];
      float *row = &result[k * n];
      for (unsigned j = 0; j != n; ++j)
        row[j] /= top;
      for (unsigned i = 0; i != k; ++i)
        subtract(&result[i * n], row, lu[i * n + k]);
    }
  }

private:
  void singular() {
    for (unsigned i = 0; i != size * size; ++i)
      result[i] = std::numeric_limits<float>::quiet_NaN();
  }
  void exchange(float *one, float *other) const {
    for (unsigned j = 0; j != size; ++j) {
      const float moved = one[j];
      one[j] = other[j];
      other[j] = moved;
    }
  }
  void subtract(float *from, const float *row, float factor) const {
    for (unsigned j = 0; j != size; ++j)
      from[j] -= factor * row[j];
  }
};
