// Elements by their indices in columns.
#include "../include/odla_codelet.hpp"

using namespace odla;

namespace {

// The row that an index names: counted from the end where it is negative, held within.
inline unsigned placeOf(int index, unsigned size) {
  const int at = index < 0 ? index + int(size) : index;
  return at < 0 ? 0 : at < int(size) ? unsigned(at) : size - 1;
}

} // namespace

// Some columns: element i of column c is at i * step + c * columnStep, of the input of
// `size` rows and of the indices and the output of `rows`.
template <class T> class PickElements : public Vertex {
public:
  Input<Pointer<T>> input;
  Input<Pointer<int>> indices;
  Output<Pointer<T>> output;
  unsigned columns;
  unsigned size;
  unsigned rows;
  bool isAxisLast; // columns lie one after the other

  void compute() {
    const unsigned outer = isAxisLast ? columns : rows, inner = isAxisLast ? rows : columns;
    const int *index = &indices[0];
    T *to = &output[0];
    for (unsigned i = 0; i != outer; ++i)
      for (unsigned j = 0; j != inner; ++j) {
        const unsigned column = isAxisLast ? i : j;
        const unsigned from = placeOf(*index++, size);
        *to++ = input[isAxisLast ? column * size + from : from * columns + column];
      }
  }
};

template class PickElements<unsigned char>;
template class PickElements<unsigned short>;
template class PickElements<unsigned int>;

// The columns of the input's gradient, to which elements of the result's are added.
template <class T> class AddElements : public Vertex {
public:
  InOut<Pointer<float>> sums;
  Input<Pointer<int>> indices;
  Input<Pointer<T>> gradient;
  unsigned columns;
  unsigned size;
  unsigned rows;
  bool isAxisLast;

  void compute() {
    const unsigned outer = isAxisLast ? columns : rows, inner = isAxisLast ? rows : columns;
    const int *index = &indices[0];
    const T *from = &gradient[0];
    for (unsigned i = 0; i != outer; ++i)
      for (unsigned j = 0; j != inner; ++j) {
        const unsigned column = isAxisLast ? i : j, row = placeOf(*index++, size);
        sums[isAxisLast ? column * size + row : row * columns + column] += float(*from++);
      }
  }
};

template class AddElements<float>;
template class AddElements<half>;
