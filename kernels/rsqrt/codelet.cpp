// Reciprocal square roots.
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
