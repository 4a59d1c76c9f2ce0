// Inverses by LU decomposition.
#include "../include/odla_codelet.hpp"
#include "../include/odla_lu.hpp"

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
    if (n == 0)
      return;
    for (unsigned i = 0; i != n; ++i)
      for (unsigned j = 0; j != n; ++j) {
        lu[i * n + j] = input[i * n + j];
        result[i * n + j] = i == j ? 1.0f : 0.0f;
      }
    eliminate(&lu[0], &result[0], n);
    if (isRegular(&lu[0], n))
      return substitute(&lu[0], &result[0], n);
    for (unsigned i = 0; i != n * n; ++i)
      result[i] = std::numeric_limits<float>::quiet_NaN();
  }
};

// The gradient by one matrix: -Y^T G Y^T, of the gradient G of its inverse Y.
class InverseGrad : public Vertex {
public:
  Input<Vector<float>> gradient;
  Input<Vector<float>> inverse;
  Output<Pointer<float>> product; // scratch: G Y^T
  Output<Vector<float>> result;
  unsigned size;

  void compute() {
    const unsigned n = size;
    for (unsigned i = 0; i != n; ++i)
      for (unsigned j = 0; j != n; ++j) {
        float sum = 0.0f;
        for (unsigned k = 0; k != n; ++k)
          sum += gradient[i * n + k] * inverse[j * n + k];
        product[i * n + j] = sum;
        result[i * n + j] = 0.0f;
      }
    for (unsigned k = 0; k != n; ++k)
      for (unsigned i = 0; i != n; ++i)
        subtractRow(&result[i * n], &product[k * n], inverse[k * n + i], 0, n);
  }
};
