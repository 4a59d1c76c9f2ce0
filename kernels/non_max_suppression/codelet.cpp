// Greedy selection of boxes by score.
#include "../include/odla_codelet.hpp"
#include "../include/odla_sort.hpp"

using namespace odla;

namespace {

constexpr unsigned block = 16;

} // namespace

// The boxes of one class of one image.  Scratch: order [n], kept [5 * room] holds the top, left,
// bottom, right and area of what is selected.
template <class T> class SelectBoxes : public Vertex {
public:
  Input<Pointer<T>> boxes;
  Input<Vector<T>> scores;
  Output<Vector<int>> chosen;
  Output<int> count;
  Output<Pointer<int>> order;
  Output<Pointer<float>> kept;
  float iouThreshold;
  float scoreThreshold;

  void compute() {
    const unsigned boxCount = scores.size(), room = chosen.size();
    unsigned candidates = 0;
    for (unsigned i = 0; i != boxCount; ++i)
      if (float(scores[i]) > scoreThreshold)
        order[candidates++] = int(i);
    if (candidates != 0)
      sortByScore(&scores[0], &order[0], candidates);
    unsigned found = 0;
    for (unsigned i = 0; i != candidates && found != room; ++i) {
      const unsigned box = unsigned(order[i]);
      const float y1 = float(boxes[4 * box]), x1 = float(boxes[4 * box + 1]);
      const float y2 = float(boxes[4 * box + 2]), x2 = float(boxes[4 * box + 3]);
      const float top = smaller(y1, y2), bottom = larger(y1, y2);
      const float left = smaller(x1, x2), right = larger(x1, x2);
      const float area = (bottom - top) * (right - left);
      if (isCovered(top, left, bottom, right, area, found, room))
        continue;
      kept[found] = top;
      kept[room + found] = left;
      kept[2 * room + found] = bottom;
      kept[3 * room + found] = right;
      kept[4 * room + found] = area;
      chosen[found++] = int(box);
    }
    for (unsigned i = found; i != room; ++i)
      chosen[i] = -1;
    *count = int(found);
  }

private:
  bool isCovered(float top, float left, float bottom, float right, float area, unsigned found,
                 unsigned room) const {
    if (found == 0)
      return false;
    const float *tops = &kept[0], *lefts = tops + room, *bottoms = lefts + room;
    const float *rights = bottoms + room, *areas = rights + room;
    // Whole blocks first: their fixed size makes vector code.
    unsigned begin = 0;
    for (; begin + block <= found; begin += block) {
      const float *t = tops + begin, *l = lefts + begin, *b = bottoms + begin;
      const float *r = rights + begin, *a = areas + begin;
      // Most boxes lie apart, which is cheap to see.
      int isNear = 0, isAny = 0;
      for (unsigned j = 0; j != block; ++j)
        isNear |= smaller(smaller(bottom, b[j]) - larger(top, t[j]),
                          smaller(right, r[j]) - larger(left, l[j])) > 0.0f;
      if (!isNear && iouThreshold >= 0.0f)
        continue;
      for (unsigned j = 0; j != block; ++j)
        isAny |= isOver(t[j], l[j], b[j], r[j], a[j], top, left, bottom, right, area);
      if (isAny)
        return true;
    }
    for (; begin != found; ++begin)
      if (isOver(tops[begin], lefts[begin], bottoms[begin], rights[begin], areas[begin], top, left,
                 bottom, right, area))
        return true;
    return false;
  }

  int isOver(float t, float l, float b, float r, float a, float top, float left, float bottom,
             float right, float area) const {
    const float height = smaller(bottom, b) - larger(top, t);
    const float width = smaller(right, r) - larger(left, l);
    const float common = larger(height, 0.0f) * larger(width, 0.0f);
    return common / (a + area - common) > iouThreshold;
  }
};

template class SelectBoxes<float>;
template class SelectBoxes<half>;

// The rows of all classes in a row.
class CollectBoxes : public Vertex {
public:
  Input<Vector<int>> counts; // of each class of each image
  Input<Pointer<int>> chosen;
  Output<Vector<int>> rows;
  Output<int> used;
  unsigned room;
  unsigned classes;

  void compute() {
    unsigned row = 0;
    const unsigned rowCount = rows.size() / 3;
    for (unsigned of = 0; of != counts.size(); ++of)
      for (unsigned i = 0; i != unsigned(counts[of]) && row != rowCount; ++i, ++row) {
        rows[3 * row] = int(of / classes);
        rows[3 * row + 1] = int(of % classes);
        rows[3 * row + 2] = chosen[of * room + i];
      }
    *used = int(row);
    for (unsigned i = 3 * row; i != 3 * rowCount; ++i)
      rows[i] = -1;
  }
};
