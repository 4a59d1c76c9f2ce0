// Greedy decoding of label probabilities.
#include "../include/odla_codelet.hpp"

using namespace odla;

// The first largest of each row of `classes`; NaN is larger than all.
template <class T> class LikeliestLabels : public Vertex {
public:
  Input<Pointer<T>> logits;
  Output<Vector<int>> best;
  unsigned classes;

  void compute() {
    for (unsigned row = 0; row != best.size(); ++row)
      best[row] = int(firstLargest(&logits[row * classes]));
  }

private:
  // Two loops that become vector code.
  unsigned firstLargest(const T *of) const {
    std::int32_t most = std::numeric_limits<std::int32_t>::min();
    for (unsigned i = 0; i != classes; ++i) {
      const std::int32_t one = ordered(float(of[i]));
      most = one > most ? one : most;
    }
    unsigned place = classes;
    for (unsigned i = 0; i != classes; ++i) {
      const unsigned here = ordered(float(of[i])) == most ? i : classes;
      place = here < place ? here : place;
    }
    return place;
  }

  // Integers in the order of numbers; both zeros are one, NaN is the largest.
  static std::int32_t ordered(float x) {
    union {
      float value;
      std::int32_t bits;
    } one;
    one.value = x + 0.0f;
    const std::int32_t number = one.bits ^ ((one.bits >> 31) & 0x7fffffff);
    const std::int32_t isNaN = -std::int32_t(x != x); // no branch, all bits
    return (number & ~isNaN) | (isNaN & std::numeric_limits<std::int32_t>::max());
  }
};

template class LikeliestLabels<float>;
template class LikeliestLabels<half>;

// The labels of one sequence without blanks and, if wanted, without repetitions.
class CollapseLabels : public Vertex {
public:
  Input<Vector<int>> best;
  Input<int> length;
  Output<Vector<int>> labels;
  Output<int> count;
  int blank;
  bool mergeRepeated;

  void compute() {
    unsigned found = 0;
    for (unsigned step = 0; step != best.size(); ++step) {
      const int label = best[step];
      const bool isRepeated = mergeRepeated && step != 0 && label == best[step - 1];
      if (int(step) < *length && label != blank && !isRepeated)
        labels[found++] = label;
    }
    *count = int(found);
    for (unsigned i = found; i != labels.size(); ++i)
      labels[i] = -1;
  }
};
