// Sorting of indices by score, without recursion or memory of its own.
#ifndef odla_sort_hpp
#define odla_sort_hpp

namespace odla {

// Whether index a comes before b: the higher score, then the lower index.
template <class T> bool isBefore(const T *scores, int a, int b) {
  const float x = float(scores[a]), y = float(scores[b]);
  return x > y || (x == y && a < b);
}

template <class T> void siftDown(const T *scores, int *order, unsigned root, unsigned count) {
  const int moved = order[root];
  while (2 * root + 1 < count) {
    unsigned child = 2 * root + 1;
    if (child + 1 < count && isBefore(scores, order[child], order[child + 1]))
      ++child;
    if (!isBefore(scores, moved, order[child]))
      break;
    order[root] = order[child];
    root = child;
  }
  order[root] = moved;
}

// Heap sort of `order`, indices of scores, none of which is NaN.
template <class T> void sortByScore(const T *scores, int *order, unsigned count) {
  for (unsigned root = count / 2; root-- > 0;)
    siftDown(scores, order, root, count);
  for (unsigned last = count; last-- > 1;) {
    const int worst = order[0];
    order[0] = order[last];
    order[last] = worst;
    siftDown(scores, order, 0, last);
  }
}

} // namespace odla

#endif
