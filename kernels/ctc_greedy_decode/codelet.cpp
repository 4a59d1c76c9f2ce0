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
    for (unsigned row = 0; row != best.size(); ++row) {
      const T *of = &logits[row * classes];
      unsigned found = 0;
      float most = float(of[0]);
      for (unsigned i = 1; i < classes; ++i) {
        const float x = float(of[i]);
        if (x > most || (x != x && most == most)) {
          most = x;
          found = i;
        }
      }
      best[row] = int(found);
    }
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
