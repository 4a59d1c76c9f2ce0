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

// The gradients of updates, and of what was there before, which holds that of the result.  Of
// updates of one element the last one, which stayed, has it.
template <class T> class TakeElements : public Vertex {
public:
  InOut<Pointer<T>> kept;
  Input<Pointer<int>> indices;
  Output<Pointer<T>> taken;
  unsigned columns;
  unsigned size;
  unsigned rows;
  bool isAxisLast;
  bool isReplaced;

  void compute() {
    for (unsigned i = columns * rows; i-- > 0;) {
      const unsigned column = isAxisLast ? i / rows : i % columns;
      const int row = indices[i] < 0 ? indices[i] + int(size) : indices[i];
      taken[i] = T(0);
      if (row < 0 || row >= int(size))
        continue;
      T &from = kept[isAxisLast ? column * size + unsigned(row) : unsigned(row) * columns + column];
      taken[i] = from;
      if (isReplaced)
        from = T(0);
    }
  }
};

template class TakeElements<float>;
template class TakeElements<half>;
