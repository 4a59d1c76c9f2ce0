// The attention-gated GRU.
#include "../include/odla_codelet.hpp"

using namespace odla;

// The next states of some rows.  Scratch: sums [3 * size].
template <class T> class NextStates : public Vertex {
public:
  Input<Vector<T>> x;
  Input<Vector<T>> state;
  Input<Vector<T>> attention;
  Input<Pointer<T>> gateWeights;
  Input<Pointer<T>> gateBias;
  Input<Pointer<T>> weights;
  Input<Vector<T>> bias;
  Output<Pointer<T>> next;
  Output<Pointer<float>> sums;

  void compute() {
    const unsigned rows = attention.size(), size = bias.size(), inputs = x.size() / rows;
    float *reset = &sums[0], *update = reset + size, *candidate = update + size;
    for (unsigned row = 0; row != rows; ++row) {
      const T *from = &x[row * inputs], *old = &state[row * size];
      T *to = &next[row * size];
      for (unsigned i = 0; i != 2 * size; ++i)
        reset[i] = float(gateBias[i]);
      for (unsigned i = 0; i != inputs; ++i)
        add(reset, &gateWeights[i * 2 * size], float(from[i]), 2 * size);
      for (unsigned i = 0; i != size; ++i)
        add(reset, &gateWeights[(inputs + i) * 2 * size], float(old[i]), 2 * size);
      for (unsigned i = 0; i != 2 * size; ++i)
        reset[i] = sigmoid(reset[i]);
      for (unsigned i = 0; i != size; ++i)
        candidate[i] = float(bias[i]);
      for (unsigned i = 0; i != inputs; ++i)
        add(candidate, &weights[i * size], float(from[i]), size);
      for (unsigned i = 0; i != size; ++i)
        add(candidate, &weights[(inputs + i) * size], reset[i] * float(old[i]), size);
      const float rest = 1.0f - float(attention[row]);
      for (unsigned i = 0; i != size; ++i) {
        const float keep = rest * update[i];
        store(to[i], keep * float(old[i]) + (1.0f - keep) * fastTanh(candidate[i]));
      }
    }
  }

private:
  static void add(float *to, const T *row, float factor, unsigned count) {
    for (unsigned i = 0; i != count; ++i)
      to[i] += factor * float(row[i]);
  }
};

template class NextStates<float>;
template class NextStates<half>;
