// Rows normalised by their mean and deviation.
#include "../include/odla_codelet.hpp"

using namespace odla;

template <class T> class NormaliseRows : public Vertex {
public:
  Input<Vector<T>> in;
  Input<Vector<T>> scale;
  Input<Vector<T>> bias;
  Output<Pointer<T>> out;
  float epsilon;

  void compute() {
    const unsigned size = scale.size();
    for (unsigned row = 0; row != in.size() / size; ++row) {
      const T *from = &in[row * size];
      T *to = &out[row * size];
      const float mean = sum(from, 0.0f, false) / float(int(size));
      const float variance = sum(from, mean, true) / float(int(size));
      const float factor = 1.0f / std::sqrt(variance + epsilon);
      for (unsigned i = 0; i != size; ++i)
        store(to[i], (float(from[i]) - mean) * factor * float(scale[i]) + float(bias[i]));
    }
  }

private:
  // Of the numbers less `less`, or of their squares, in eight sums.
  float sum(const T *from, float less, bool isSquared) const {
    const unsigned size = scale.size();
    float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    unsigned i = 0;
    for (; i + 8 <= size; i += 8)
      for (unsigned j = 0; j != 8; ++j) {
        const float x = float(from[i + j]) - less;
        sums[j] += isSquared ? x * x : x;
      }
    for (; i != size; ++i) {
      const float x = float(from[i]) - less;
      sums[0] += isSquared ? x * x : x;
    }
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) +
           ((sums[1] + sums[5]) + (sums[3] + sums[7]));
  }
};

template class NormaliseRows<float>;
template class NormaliseRows<half>;
