// Gelu of sums, and its gradient.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Rows of the bias' length, of which the first begins with column `first`.
template <class T> class AddBiasGelu : public Vertex {
public:
  Input<Vector<T>> in;
  Input<Vector<T>> bias;
  Output<Pointer<T>> out;
  unsigned first;

  void compute() {
    unsigned column = first;
    for (unsigned begin = 0; begin < in.size();) {
      const unsigned left = in.size() - begin, room = bias.size() - column;
      const unsigned count = left < room ? left : room;
      const T *from = &in[begin], *add = &bias[column];
      T *to = &out[begin];
      for (unsigned i = 0; i != count; ++i)
        store(to[i], tanhGelu(float(from[i]) + float(add[i])));
      begin += count;
      column = 0;
    }
  }
};

template class AddBiasGelu<float>;
template class AddBiasGelu<half>;

template <class T> class AddBiasGeluGrad : public Vertex {
public:
  Input<Vector<T>> gradient;
  Input<Pointer<T>> in;
  Input<Vector<T>> bias;
  Output<Pointer<T>> out;
  unsigned first;

  void compute() {
    unsigned column = first;
    for (unsigned begin = 0; begin < gradient.size();) {
      const unsigned left = gradient.size() - begin, room = bias.size() - column;
      const unsigned count = left < room ? left : room;
      const T *from = &in[begin], *add = &bias[column], *factor = &gradient[begin];
      T *to = &out[begin];
      for (unsigned i = 0; i != count; ++i)
        store(to[i], float(factor[i]) * tanhGeluSlope(float(from[i]) + float(add[i])));
      begin += count;
      column = 0;
    }
  }
};

template class AddBiasGeluGrad<float>;
template class AddBiasGeluGrad<half>;
