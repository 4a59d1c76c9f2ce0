// Rows joined with others.
#include "../include/odla_reduction.hpp"

using namespace odla;

// The rows that tuples name; UINT_MAX out of range.
class UpdatedRows : public Vertex {
public:
  Input<Pointer<int>> indices;
  Output<Vector<unsigned>> target;
  Vector<int> dims;

  void compute() {
    const unsigned length = dims.size();
    for (unsigned i = 0; i != target.size(); ++i) {
      unsigned row = 0;
      bool isInside = true;
      for (unsigned d = 0; d != length; ++d) {
        const int size = dims[d], given = indices[i * length + d];
        const int at = given < 0 ? given + size : given;
        isInside = isInside && at >= 0 && at < size;
        row = row * unsigned(size) + unsigned(at);
      }
      target[i] = isInside ? row : std::numeric_limits<unsigned>::max();
    }
  }
};

// Some columns of all rows, or some rows from `first` on; updates come in their order.
template <class T> class JoinRows : public Vertex {
public:
  InOut<Vector<T>> output; // [row, column]
  Input<Vector<unsigned>> target;
  Input<Pointer<T>> updates; // [update, column]
  unsigned first;
  unsigned columns;
  int reduction;

  void compute() {
    switch (reduction) { // each loop for itself, so that it becomes vector code
    case 0: return joinAll<0>();
    case 1: return joinAll<1>();
    case 2: return joinAll<2>();
    case 3: return joinAll<3>();
    default: return joinAll<4>();
    }
  }

private:
  template <int How> void joinAll() {
    const unsigned rows = output.size() / columns;
    for (unsigned i = 0; i != target.size(); ++i) {
      const unsigned row = target[i] - first;
      if (row >= rows)
        continue;
      T *to = &output[row * columns];
      const T *from = &updates[i * columns];
      for (unsigned j = 0; j != columns; ++j)
        to[j] = joined(How, to[j], from[j]);
    }
  }
};

template class JoinRows<float>;
template class JoinRows<half>;
template class JoinRows<int>;
template class JoinRows<unsigned int>;
template class JoinRows<short>;
template class JoinRows<unsigned short>;
template class JoinRows<signed char>;
template class JoinRows<unsigned char>;
