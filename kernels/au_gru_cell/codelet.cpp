// The attention-gated GRU.
#include "../include/odla_codelet.hpp"

using namespace odla;

namespace {

template <class T> inline void add(float *to, const T *row, float factor, unsigned count) {
  for (unsigned i = 0; i != count; ++i)
    to[i] += factor * float(row[i]);
}

template <class T> inline float dot(const float *one, const T *other, unsigned count) {
  float sum = 0.0f;
  for (unsigned i = 0; i != count; ++i)
    sum += one[i] * float(other[i]);
  return sum;
}

// The gates [reset, update] of a row, and the candidate behind them, of `size` each.
template <class Weights, class T>
inline void step(float *gates, const Weights &gateWeights, const Weights &gateBias,
                 const Weights &weights, const T *bias, const T *x, const T *state,
                 unsigned inputs, unsigned size) {
  float *candidate = gates + 2 * size;
  for (unsigned i = 0; i != 2 * size; ++i)
    gates[i] = float(gateBias[i]);
  for (unsigned i = 0; i != inputs; ++i)
    add(gates, &gateWeights[i * 2 * size], float(x[i]), 2 * size);
  for (unsigned i = 0; i != size; ++i)
    add(gates, &gateWeights[(inputs + i) * 2 * size], float(state[i]), 2 * size);
  for (unsigned i = 0; i != 2 * size; ++i)
    gates[i] = sigmoid(gates[i]);
  for (unsigned i = 0; i != size; ++i)
    candidate[i] = float(bias[i]);
  for (unsigned i = 0; i != inputs; ++i)
    add(candidate, &weights[i * size], float(x[i]), size);
  for (unsigned i = 0; i != size; ++i)
    add(candidate, &weights[(inputs + i) * size], gates[i] * float(state[i]), size);
  for (unsigned i = 0; i != size; ++i)
    candidate[i] = fastTanh(candidate[i]);
}

} // namespace

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
    const float *update = &sums[size], *candidate = update + size;
    for (unsigned row = 0; row != rows; ++row) {
      const T *old = &state[row * size];
      T *to = &next[row * size];
      step(&sums[0], gateWeights, gateBias, weights, &bias[0], &x[row * inputs], old, inputs,
           size);
      const float rest = 1.0f - float(attention[row]);
      for (unsigned i = 0; i != size; ++i) {
        const float keep = rest * update[i];
        store(to[i], keep * float(old[i]) + (1.0f - keep) * candidate[i]);
      }
    }
  }
};

template class NextStates<float>;
template class NextStates<half>;

// Of some rows: the gradients of x, the state and the attention, and those before the activations,
// from which those of the weights follow.
template <class T> class StatesGrad : public Vertex {
public:
  Input<Pointer<T>> gradient;
  Input<Vector<T>> x;
  Input<Pointer<T>> state;
  Input<Vector<T>> attention;
  Input<Pointer<T>> gateWeights;
  Input<Pointer<T>> gateBias;
  Input<Pointer<T>> weights;
  Input<Vector<T>> bias;
  Output<Pointer<T>> ofX;
  Output<Pointer<T>> ofState;
  Output<Pointer<T>> ofAttention;
  Output<Pointer<float>> ofGates;     // [row, 2 * size]
  Output<Pointer<float>> ofCandidate; // [row, size]
  Output<Pointer<float>> resetState;  // [row, size]: reset * state
  Output<Pointer<float>> sums;        // scratch [3 * size]

  void compute() {
    const unsigned rows = attention.size(), size = bias.size(), inputs = x.size() / rows;
    const float *reset = &sums[0], *update = reset + size, *candidate = update + size;
    for (unsigned row = 0; row != rows; ++row) {
      const T *g = &gradient[row * size], *old = &state[row * size];
      float *gates = &ofGates[row * 2 * size], *before = &ofCandidate[row * size];
      step(&sums[0], gateWeights, gateBias, weights, &bias[0], &x[row * inputs], old, inputs,
           size);
      const float rest = 1.0f - float(attention[row]);
      float scores = 0.0f;
      for (unsigned i = 0; i != size; ++i) {
        const float ofKeep = float(g[i]) * (float(old[i]) - candidate[i]);
        scores -= ofKeep * update[i];
        gates[size + i] = ofKeep * rest * update[i] * (1.0f - update[i]);
        before[i] = float(g[i]) * (1.0f - rest * update[i]) * (1.0f - candidate[i] * candidate[i]);
        resetState[row * size + i] = reset[i] * float(old[i]);
      }
      store(ofAttention[row], scores);
      for (unsigned i = 0; i != size; ++i) {
        const float product = dot(before, &weights[(inputs + i) * size], size);
        gates[i] = product * float(old[i]) * reset[i] * (1.0f - reset[i]);
      }
      for (unsigned i = 0; i != size; ++i) {
        const float product = dot(before, &weights[(inputs + i) * size], size);
        store(ofState[row * size + i],
              float(g[i]) * rest * update[i] + product * reset[i] +
                  dot(gates, &gateWeights[(inputs + i) * 2 * size], 2 * size));
      }
      for (unsigned i = 0; i != inputs; ++i)
        store(ofX[row * inputs + i], dot(before, &weights[i * size], size) +
                                         dot(gates, &gateWeights[i * 2 * size], 2 * size));
    }
  }
};

template class StatesGrad<float>;
template class StatesGrad<half>;

// The gradients of one row of weights: sums over all rows of what it is multiplied by.
template <class T> class WeightsGrad : public Vertex {
public:
  Input<Vector<float>> factors;
  Input<Pointer<float>> gradient; // [row, n]
  Output<Vector<T>> out;
  Output<Pointer<float>> sums; // scratch [n]

  void compute() {
    const unsigned size = out.size();
    for (unsigned i = 0; i != size; ++i)
      sums[i] = 0.0f;
    for (unsigned row = 0; row != factors.size(); ++row)
      add(&sums[0], &gradient[row * size], factors[row], size);
    for (unsigned i = 0; i != size; ++i)
      store(out[i], sums[i]);
  }
};

template class WeightsGrad<float>;
template class WeightsGrad<half>;
