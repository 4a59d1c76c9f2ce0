// Reversal of the first steps of sequences.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Parts of `size` elements of some sequences, [step, sequence, element].
template <class T> class ReverseSteps : public Vertex {
public:
  Input<Pointer<T>> in;
  Input<Vector<int>> lengths;
  Output<Pointer<T>> out;
  unsigned steps;
  unsigned size;

  void compute() {
    const unsigned sequences = lengths.size();
    for (unsigned of = 0; of != sequences; ++of) {
      const int given = lengths[of];
      const unsigned length = given < 0 ? 0 : (unsigned(given) < steps ? unsigned(given) : steps);
      for (unsigned step = 0; step != steps; ++step) {
        const unsigned source = step < length ? length - 1 - step : step;
        T *to = &out[(step * sequences + of) * size];
        const T *from = &in[(source * sequences + of) * size];
        for (unsigned i = 0; i != size; ++i)
          to[i] = from[i];
      }
    }
  }
};

template class ReverseSteps<unsigned char>;
template class ReverseSteps<unsigned short>;
template class ReverseSteps<unsigned int>;
