// Determinants by LU decomposition.
#include "../include/odla_codelet.hpp"
#include "../include/odla_lu.hpp"

using namespace odla;

// One matrix [n,n], in rows.
class DeterminantOf : public Vertex {
public:
  Input<Vector<float>> input;
  Output<Pointer<float>> lu; // scratch
  Output<float> result;
  unsigned size;

  void compute() {
    for (unsigned i = 0; i != input.size(); ++i)
      lu[i] = input[i];
    *result = size ? eliminate(&lu[0], nullptr, size) : 1.0f;
  }
};

// The gradient by one matrix: its cofactors.  They are the determinant times the transposed inverse;
// of a singular matrix each is a determinant of its own.
class DeterminantGrad : public Vertex {
public:
  Input<float> gradient;
  Input<Vector<float>> input;
  Output<Pointer<float>> lu; // scratch
  Output<Vector<float>> result;
  unsigned size;

  void compute() {
    const unsigned n = size;
    if (n == 0)
      return;
    for (unsigned i = 0; i != n; ++i)
      for (unsigned j = 0; j != n; ++j) {
        lu[i * n + j] = input[i * n + j];
        result[i * n + j] = i == j ? 1.0f : 0.0f;
      }
    const float determinant = eliminate(&lu[0], &result[0], n);
    if (!isRegular(&lu[0], n))
      return minors();
    substitute(&lu[0], &result[0], n);
    const float factor = *gradient * determinant;
    for (unsigned i = 0; i != n; ++i)
      for (unsigned j = 0; j <= i; ++j) {
        const float turned = result[j * n + i];
        result[j * n + i] = factor * result[i * n + j];
        result[i * n + j] = factor * turned;
      }
  }

private:
  void minors() {
    const unsigned n = size;
    for (unsigned row = 0; row != n; ++row)
      for (unsigned column = 0; column != n; ++column) {
        float *to = &lu[0];
        for (unsigned i = 0; i != n; ++i)
          for (unsigned j = 0; j != n; ++j)
            if (i != row && j != column)
              *to++ = input[i * n + j];
        const float minor = eliminate(&lu[0], nullptr, n - 1);
        result[row * n + column] = *gradient * ((row + column) % 2 ? -minor : minor);
      }
  }
};
