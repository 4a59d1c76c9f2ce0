// Gelu by its tanh approximation, and its gradient.
#include "../include/odla_codelet.hpp"

using namespace odla;

template <class T> class TanhGelu : public Vertex {
public:
  Input<Vector<T>> in;
  Output<Pointer<T>> out;

  void compute() {
    for (unsigned i = 0; i != in.size(); ++i)
      store(out[i], tanhGelu(float(in[i])));
  }
};

template class TanhGelu<float>;
template class TanhGelu<half>;

template <class T> class TanhGeluGrad : public Vertex {
public:
  Input<Vector<T>> gradient;
  Input<Pointer<T>> in;
  Output<Pointer<T>> out;

  void compute() {
    for (unsigned i = 0; i != gradient.size(); ++i)
      store(out[i], float(gradient[i]) * tanhGeluSlope(float(in[i])));
  }
};

template class TanhGeluGrad<float>;
template class TanhGeluGrad<half>;
