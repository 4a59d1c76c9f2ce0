// Determinants by LU decomposition with partial pivoting, in place.
#include "../include/odla_codelet.hpp"

using namespace odla;

// One matrix [n,n], in rows.
class DeterminantOf : public Vertex {
public:
  Input<Vector<float>> input;
  Output<Pointer<float>> lu; // scratch
  Output<float> result;
  unsigned size;

  void compute() {
    const unsigned n = size;
    for (unsigned i = 0; i != input.size(); ++i)
      lu[i] = input[i];
    float product = 1.0f;
    for (unsigned k = 0; k != n; ++k) {
      unsigned pivot = k;
      for (unsigned i = k + 1; i != n; ++i)
        if (std::fabs(lu[i * n + k]) > std::fabs(lu[pivot * n + k]))
          pivot = i;
      const float top = lu[pivot * n + k];
      product *= pivot == k ? top : -top;
      if (top == 0.0f)
        break;
      if (pivot != k)
        for (unsigned j = k; j != n; ++j) {
          const float moved = lu[k * n + j];
          lu[k * n + j] = lu[pivot * n + j];
          lu[pivot * n + j] = moved;
        }
      for (unsigned i = k + 1; i < n; ++i) {
        const float factor = lu[i * n + k] / top;
        float *row = &lu[i * n];
        const float *above = &lu[k * n];
        for (unsigned j = k + 1; j < n; ++j)
          row[j] -= factor * above[j];
      }
    }
    *result = product;
  }
};
