// Rows normalised by their mean and deviation, and the gradient.
#include "../include/odla_codelet.hpp"

using namespace odla;

namespace {

// Sums of a row: in many lanes that are added in pairs.  `term` gives the number of a column.
template <class Term> float sum(unsigned size, Term term) {
  constexpr unsigned lanes = 32;
  float sums[lanes] = {};
  unsigned i = 0;
  for (; i + lanes <= size; i += lanes)
    for (unsigned j = 0; j != lanes; ++j)
      sums[j] += term(i + j);
  for (unsigned j = 0; i != size; ++i, ++j)
    sums[j] += term(i);
  for (unsigned half = lanes / 2; half != 0; half /= 2)
    for (unsigned j = 0; j != half; ++j)
      sums[j] += sums[half + j];
  return sums[0];
}

// A row's mean, and one over its deviation.
template <class T> struct Statistics {
  Statistics(const T *row, unsigned size, float epsilon)
      : mean(sum(size, [=](unsigned i) { return float(row[i]); }) / float(int(size))),
        factor(1.0f / std::sqrt(variance(row, size, mean) + epsilon)) {}

  static float variance(const T *row, unsigned size, float mean) {
    const float squares = sum(size, [=](unsigned i) {
      const float less = float(row[i]) - mean;
      return less * less;
    });
    return squares / float(int(size));
  }

  float mean, factor;
};

} // namespace

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
      const Statistics<T> of(from, size, epsilon);
      for (unsigned i = 0; i != size; ++i)
        store(to[i], (float(from[i]) - of.mean) * of.factor * float(scale[i]) + float(bias[i]));
    }
  }
};

template class NormaliseRows<float>;
template class NormaliseRows<half>;

// With the normalised row n and g = gradient * scale the gradient of x is
// factor * (g - mean(g) - n * mean(g * n)); that of scale is the sum over rows of gradient * n.
template <class T> class NormaliseRowsGrad : public Vertex {
public:
  Input<Vector<T>> gradient;
  Input<Pointer<T>> in;
  Input<Vector<T>> scale;
  Output<Pointer<T>> out;
  Output<Pointer<float>> ofScale;
  float epsilon;

  void compute() {
    const unsigned size = scale.size();
    for (unsigned row = 0; row != gradient.size() / size; ++row) {
      const T *from = &in[row * size], *given = &gradient[row * size], *weight = &scale[0];
      T *to = &out[row * size];
      float *product = &ofScale[row * size];
      const Statistics<T> of(from, size, epsilon);
      const float mean = of.mean, factor = of.factor;
      for (unsigned i = 0; i != size; ++i)
        product[i] = float(given[i]) * (float(from[i]) - mean) * factor;
      const auto scaled = [=](unsigned i) { return float(given[i]) * float(weight[i]); };
      const auto crossed = [=](unsigned i) { return product[i] * float(weight[i]); };
      const float middle = sum(size, scaled) / float(int(size));
      const float along = sum(size, crossed) / float(int(size));
      for (unsigned i = 0; i != size; ++i)
        store(to[i], factor * (scaled(i) - middle - (float(from[i]) - mean) * factor * along));
    }
  }
};

template class NormaliseRowsGrad<float>;
template class NormaliseRowsGrad<half>;
