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
      const float mean = sum<false>(from, 0.0f) / float(int(size));
      const float variance = sum<true>(from, mean) / float(int(size));
      const float factor = 1.0f / std::sqrt(variance + epsilon);
      for (unsigned i = 0; i != size; ++i)
        store(to[i], (float(from[i]) - mean) * factor * float(scale[i]) + float(bias[i]));
    }
  }

private:
  // Of the numbers less `less`, or of their squares, in many sums that are added in pairs.
  template <bool IsSquared> float sum(const T *from, float less) const {
    constexpr unsigned lanes = 32;
    const unsigned size = scale.size();
    float sums[lanes] = {};
    unsigned i = 0;
    for (; i + lanes <= size; i += lanes)
      for (unsigned j = 0; j != lanes; ++j) {
        const float x = float(from[i + j]) - less;
        sums[j] += IsSquared ? x * x : x;
      }
    for (unsigned j = 0; i != size; ++i, ++j) {
      const float x = float(from[i]) - less;
      sums[j] += IsSquared ? x * x : x;
    }
    for (unsigned half = lanes / 2; half != 0; half /= 2)
      for (unsigned j = 0; j != half; ++j)
        sums[j] += sums[half + j];
    return sums[0];
  }
};

template class NormaliseRows<float>;
template class NormaliseRows<half>;
