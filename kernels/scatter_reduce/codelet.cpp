// Elements into columns by their indices.
#include "../include/odla_reduction.hpp"

using namespace odla;

// Some columns, as in PickElements of GatherElements.
template <class T> class PutElements : public Vertex {
public:
  InOut<Pointer<T>> output;
  Input<Pointer<int>> indices;
  Input<Pointer<T>> updates;
  unsigned columns;
  unsigned size;
  unsigned rows;
  bool isAxisLast;
  int reduction;

  void compute() {
    const unsigned outer = isAxisLast ? columns : rows, inner = isAxisLast ? rows : columns;
    const int *index = &indices[0];
    const T *from = &updates[0];
    for (unsigned i = 0; i != outer; ++i)
      for (unsigned j = 0; j != inner; ++j, ++index, ++from) {
        const int row = *index < 0 ? *index + int(size) : *index;
        if (row < 0 || row >= int(size))
          continue;
        T &to = output[isAxisLast ? i * size + unsigned(row) : unsigned(row) * columns + j];
        to = joined(reduction, to, *from);
      }
  }
};

template class PutElements<float>;
template class PutElements<half>;
template class PutElements<int>;
template class PutElements<unsigned int>;
template class PutElements<short>;
template class PutElements<unsigned short>;
template class PutElements<signed char>;
template class PutElements<unsigned char>;
