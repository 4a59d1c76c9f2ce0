// Products of 8-bit matrices.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Some rows [m,k] of one matrix times some columns [k,n] of the other.
template <class A, class B> class MultiplyBytes : public Vertex {
public:
  Input<Pointer<A>> a;
  Input<Pointer<B>> b;
  Output<Vector<int>> out;
  unsigned depth;
  unsigned columns;
  int aZero;
  int bZero;

  void compute() {
    const unsigned rows = out.size() / columns;
    for (unsigned row = 0; row != rows; ++row) {
      int *to = &out[row * columns];
      const A *left = &a[row * depth];
      for (unsigned j = 0; j != columns; ++j)
        to[j] = 0;
      unsigned k = 0;
      for (; k + 4 <= depth; k += 4) {
        const B *right = &b[k * columns];
        const int w = int(left[k]) - aZero, x = int(left[k + 1]) - aZero;
        const int y = int(left[k + 2]) - aZero, z = int(left[k + 3]) - aZero;
        const B *second = right + columns, *third = second + columns, *fourth = third + columns;
        for (unsigned j = 0; j != columns; ++j)
          to[j] += w * (int(right[j]) - bZero) + x * (int(second[j]) - bZero) +
                   y * (int(third[j]) - bZero) + z * (int(fourth[j]) - bZero);
      }
      for (; k != depth; ++k) {
        const B *right = &b[k * columns];
        const int w = int(left[k]) - aZero;
        for (unsigned j = 0; j != columns; ++j)
          to[j] += w * (int(right[j]) - bZero);
      }
    }
  }
};

template class MultiplyBytes<signed char, signed char>;
template class MultiplyBytes<signed char, unsigned char>;
template class MultiplyBytes<unsigned char, signed char>;
template class MultiplyBytes<unsigned char, unsigned char>;
