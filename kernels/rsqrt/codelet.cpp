// Reciprocal square roots, and their gradient.
#include "../include/odla_codelet.hpp"

using namespace odla;

template <class T> class ReciprocalRoot : public Vertex {
public:
  Input<Vector<T>> in;
  Output<Pointer<T>> out;

  void compute() {
    for (unsigned i = 0; i != in.size(); ++i)
      store(out[i], 1.0f / std::sqrt(float(in[i])));
  }
};

template class ReciprocalRoot<float>;
template class ReciprocalRoot<half>;

template <class T> class ReciprocalRootGrad : public Vertex {
public:
  Input<Vector<T>> gradient;
  Input<Pointer<T>> root; // the result
  Output<Pointer<T>> out;

  void compute() {
    for (unsigned i = 0; i != gradient.size(); ++i) {
      const float y = float(root[i]);
      store(out[i], -0.5f * float(gradient[i]) * y * y * y);
    }
  }
};

template class ReciprocalRootGrad<float>;
template class ReciprocalRootGrad<half>;
