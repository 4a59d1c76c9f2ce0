// Gelu by its tanh approximation: x * sigmoid(2 * u) is 0.5 * x * (1 + tanh(u)).
#include "../include/odla_codelet.hpp"

using namespace odla;

template <class T> class TanhGelu : public Vertex {
public:
  Input<Vector<T>> in;
  Output<Pointer<T>> out;

  void compute() {
    for (unsigned i = 0; i != in.size(); ++i) {
      const float x = float(in[i]);
      const float twice = 1.59576912f * (x + 0.044715f * x * x * x);
      store(out[i], x * sigmoid(twice));
    }
  }
};

template class TanhGelu<float>;
template class TanhGelu<half>;
