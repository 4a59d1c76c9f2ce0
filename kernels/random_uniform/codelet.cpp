// Evenly distributed numbers.
#include "../include/odla_philox.hpp"

using namespace odla;

// Numbers of the counters from `first` on.
template <class T> class UniformNumbers : public Vertex {
public:
  Input<Vector<unsigned>> seed;
  Output<Vector<T>> out;
  unsigned first;
  float low;
  float high;

  void compute() {
    const unsigned key[2] = {seed[0], seed[1]};
    unsigned words[4];
    for (unsigned i = 0; i < out.size(); i += 4) {
      philox(first + i / 4, key, words);
      const unsigned count = out.size() - i < 4 ? out.size() - i : 4;
      for (unsigned j = 0; j != count; ++j) {
        const float part = float(int(words[j] >> 8)) * 5.9604644775390625e-8f; // 2^-24
        const float value = low + part * (high - low);
        store(out[i + j], value < high || !(low < high) ? value : low); // may have rounded up
      }
    }
  }
};

template class UniformNumbers<float>;
template class UniformNumbers<half>;
