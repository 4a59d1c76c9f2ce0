// Masks out of segment numbers.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Rows of one sequence: row i is -10000 * tanh(|own[i] - all[j]|).
template <class I, class T> class MaskRows : public Vertex {
public:
  Input<Vector<I>> own;
  Input<Vector<I>> all;
  Output<Pointer<T>> mask;

  void compute() {
    const unsigned size = all.size();
    for (unsigned i = 0; i != own.size(); ++i) {
      const I mine = own[i];
      T *row = &mask[i * size];
      for (unsigned j = 0; j != size; ++j) {
        const I other = all[j];
        const unsigned apart =
            mine > other ? unsigned(mine) - unsigned(other) : unsigned(other) - unsigned(mine);
        const float distance = float(int(apart < 20u ? apart : 20u));
        store(row[j], -10000.0f * fastTanh(distance));
      }
    }
  }
};

template class MaskRows<int, float>;
template class MaskRows<int, half>;
template class MaskRows<unsigned, float>;
template class MaskRows<unsigned, half>;
