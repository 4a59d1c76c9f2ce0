// Counting of n-grams.
#include "../include/odla_codelet.hpp"

using namespace odla;

// One row: the n-grams of each length, as `starts` cuts them out of the pool.
class CountGrams : public Vertex {
public:
  Input<Vector<int>> words;
  Input<Vector<int>> pool;
  Input<Pointer<int>> places;
  Input<Pointer<float>> weights;
  Output<Vector<float>> counts;
  Vector<int> starts;
  int shortest;
  int longest;
  int skips;
  int mode; // 0: counts, 1: weights of what occurs, 2: counts times weights

  void compute() {
    for (unsigned i = 0; i != counts.size(); ++i)
      counts[i] = 0.0f;
    const int *place = &places[0];
    for (int length = 1; length <= int(starts.size()); ++length) {
      const int start = starts[unsigned(length - 1)];
      const int end = length < int(starts.size()) ? starts[unsigned(length)] : int(pool.size());
      const int grams = (end - start) / length;
      if (length >= shortest && length <= longest && grams > 0)
        for (int step = 1; step <= (length > 1 ? skips + 1 : 1); ++step)
          count(&pool[unsigned(start)], place, grams, length, step);
      place += grams;
    }
    if (mode != 0)
      for (unsigned i = 0; i != counts.size(); ++i)
        if (counts[i] > 0.0f)
          counts[i] = (mode == 1 ? 1.0f : counts[i]) * weights[i];
  }

private:
  void count(const int *gram, const int *place, int grams, int length, int step) {
    const int windows = int(words.size()) - step * (length - 1);
    const int *word = &words[0];
    for (int g = 0; g != grams; ++g, gram += length) {
      int found = 0;
      const int wanted = gram[0];
      if (length == 1) {
        for (int window = 0; window < windows; ++window)
          found += word[window] == wanted;
      } else {
        // Blocks in which the first word does not occur are passed at once.
        for (int begin = 0; begin < windows; begin += block) {
          const int end = begin + block < windows ? begin + block : windows;
          if (end - begin < block || contains(word + begin, wanted))
            for (int window = begin; window != end; ++window)
              found += isSame(word + window, gram, length, step);
        }
      }
      counts[unsigned(place[g])] += float(found);
    }
  }

  static constexpr int block = 32;

  static bool contains(const int *word, int wanted) {
    int isAny = 0;
    for (int i = 0; i != block; ++i)
      isAny |= word[i] == wanted;
    return isAny != 0;
  }

  static bool isSame(const int *word, const int *gram, int length, int step) {
    for (int i = 0; i != length; ++i)
      if (word[i * step] != gram[i])
        return false;
    return true;
  }
};
