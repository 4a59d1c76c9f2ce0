// Counting of n-grams.
#include "../include/odla_codelet.hpp"

using namespace odla;

namespace {

// Multiplicative hashing (Knuth, The Art of Computer Programming, 6.4).
inline unsigned hash(int word) { return unsigned(word) * 2654435769u >> 7; }

} // namespace

// A hash table of the pool's n-grams by their first words.  `heads`, as many as a power of two, has
// in each slot the last n-gram of a first word, or -1, `next` the one before it.  The n-grams of
// all lengths are numbered in their order; `begins` says where in the pool each begins.
class IndexGrams : public Vertex {
public:
  Input<Vector<int>> pool;
  Output<Vector<int>> heads;
  Output<Vector<int>> next;
  Output<Pointer<int>> begins;
  Vector<int> starts;

  void compute() {
    for (unsigned slot = 0; slot != heads.size(); ++slot)
      heads[slot] = -1;
    unsigned gram = 0;
    for (unsigned length = 1; length <= starts.size(); ++length) {
      const int end = length < starts.size() ? starts[length] : int(pool.size());
      for (int begin = starts[length - 1]; begin + int(length) <= end; begin += int(length)) {
        const unsigned slot = place(pool[unsigned(begin)]);
        begins[gram] = begin;
        next[gram] = heads[slot];
        heads[slot] = int(gram++);
      }
    }
    for (; gram < next.size(); ++gram) {
      begins[gram] = 0;
      next[gram] = -1;
    }
  }

private:
  // The slot of a word: where it is, or a free one.
  unsigned place(int word) {
    const unsigned mask = heads.size() - 1;
    unsigned slot = hash(word) & mask;
    while (heads[slot] >= 0 && pool[unsigned(begins[unsigned(heads[slot])])] != word)
      slot = (slot + 1) & mask;
    return slot;
  }
};

// One row: how often each n-gram of the pool begins at one of its words.
class CountGrams : public Vertex {
public:
  Input<Vector<int>> words;
  Input<Vector<int>> pool;
  Input<Vector<int>> heads;
  Input<Pointer<int>> next;
  Input<Pointer<int>> begins;
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
    const unsigned mask = heads.size() - 1;
    const int *head = &heads[0], *at = &begins[0], *gram = &pool[0], *word = &words[0];
    for (unsigned window = 0; window != words.size(); ++window) {
      unsigned slot = hash(word[window]) & mask;
      int found = head[slot];
      while (found >= 0 && gram[at[found]] != word[window]) {
        slot = (slot + 1) & mask;
        found = head[slot];
      }
      for (; found >= 0; found = next[unsigned(found)])
        countAt(word + window, int(words.size() - window), gram, at[found], found);
    }
    if (mode != 0)
      for (unsigned i = 0; i != counts.size(); ++i)
        if (counts[i] > 0.0f)
          counts[i] = (mode == 1 ? 1.0f : counts[i]) * weights[i];
  }

private:
  // Counts an n-gram whose first word is here, with each number of words left out.
  void countAt(const int *word, int left, const int *pool, int begin, int gram) {
    int length = 1;
    while (length < int(starts.size()) && starts[unsigned(length)] <= begin)
      ++length;
    if (length < shortest || length > longest)
      return;
    float found = length == 1 ? 1.0f : 0.0f;
    if (length > 1)
      for (int step = 1; step <= skips + 1 && step * (length - 1) < left; ++step)
        found += isSame(word, pool + begin, length, step) ? 1.0f : 0.0f;
    const unsigned column = unsigned(places[unsigned(gram)]);
    if (column < counts.size()) // else it counts nowhere
      counts[column] += found;
  }

  static bool isSame(const int *word, const int *gram, int length, int step) {
    for (int i = 1; i != length; ++i)
      if (word[i * step] != gram[i])
        return false;
    return true;
  }
};
