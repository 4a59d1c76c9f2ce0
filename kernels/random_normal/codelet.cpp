// Normally distributed numbers, two of each pair of words (Box and Muller, 1958).
#include "../include/odla_philox.hpp"

using namespace odla;

// Numbers of the counters from `first` on.
template <class T> class NormalNumbers : public Vertex {
public:
  Input<Vector<unsigned>> seed;
  Output<Vector<T>> out;
  unsigned first;
  float mean;
  float scale;

  void compute() {
    const unsigned key[2] = {seed[0], seed[1]};
    unsigned words[4];
    for (unsigned i = 0; i < out.size(); i += 4) {
      philox(first + i / 4, key, words);
      float numbers[4];
      for (unsigned pair = 0; pair != 4; pair += 2) {
        // (0, 1] and [0, 1)
        const float part = (float(int(words[pair] >> 8)) + 1.0f) * 5.9604644775390625e-8f;
        const float turn = float(int(words[pair + 1] >> 8)) * 5.9604644775390625e-8f;
        const float radius = std::sqrt(-2.0f * std::log(part)), angle = 6.28318531f * turn;
        numbers[pair] = radius * std::cos(angle);
        numbers[pair + 1] = radius * std::sin(angle);
      }
      const unsigned count = out.size() - i < 4 ? out.size() - i : 4;
      for (unsigned j = 0; j != count; ++j)
        store(out[i + j], mean + scale * numbers[j]);
    }
  }
};

template class NormalNumbers<float>;
template class NormalNumbers<half>;
