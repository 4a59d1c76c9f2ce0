// Boxes out of the outputs of a YOLOv3 network.
#include "../include/odla_codelet.hpp"
#include "../include/odla_sort.hpp"

using namespace odla;

namespace {
constexpr float inputSize = 416.0f;
constexpr float leastScore = 0.3f;
constexpr float mostOverlap = 0.45f;
} // namespace

// Some cells of one anchor: x [5 + classes, cells] to boxes [cells, 4] and scores [classes, cells].
template <class T> class DecodeCells : public Vertex {
public:
  Input<Pointer<T>> x;
  Input<float> width;
  Input<float> height;
  Output<Vector<float>> boxes;
  Output<Pointer<float>> scores;
  unsigned classes;
  unsigned first; // cell of the grid
  unsigned grid;  // cells of a side
  float anchorWidth;
  float anchorHeight;

  void compute() {
    const unsigned cells = boxes.size() / 4;
    const float side = larger(*width, *height);
    for (unsigned axis = 0; axis != 2; ++axis) {
      const float pixels = axis == 0 ? *width : *height;
      const float fitted = std::floor(pixels * (inputSize / side) + 0.5f);
      const float offset = (inputSize - fitted) / (2.0f * inputSize), scale = inputSize / fitted;
      const float anchor = (axis == 0 ? anchorWidth : anchorHeight) / (2.0f * inputSize);
      const T *centres = &x[axis * cells], *sizes = &x[(2 + axis) * cells];
      for (unsigned i = 0; i != cells; ++i) {
        const unsigned cell = first + i, corner = axis == 0 ? cell % grid : cell / grid;
        const float at = (sigmoid(float(centres[i])) + float(corner)) / float(grid);
        const float centre = (at - offset) * scale;
        const float half = fastExp(float(sizes[i])) * anchor * scale;
        boxes[4 * i + 1 - axis] = (centre - half) * pixels;
        boxes[4 * i + 3 - axis] = (centre + half) * pixels;
      }
    }
    const T *objects = &x[4 * cells];
    for (unsigned of = 0; of != classes; ++of) {
      const T *chances = &x[(5 + of) * cells];
      float *to = &scores[of * cells];
      for (unsigned i = 0; i != cells; ++i)
        to[i] = sigmoid(float(chances[i])) * sigmoid(float(objects[i]));
    }
  }
};

template class DecodeCells<float>;
template class DecodeCells<half>;

// The best boxes of one class, each free of the one before it.
class SelectFreeBoxes : public Vertex {
public:
  Input<Pointer<float>> boxes;
  Input<Vector<float>> scores;
  Output<Vector<float>> rows; // [row, 5]
  Output<unsigned> used;
  Output<Pointer<int>> order; // scratch

  void compute() {
    unsigned candidates = 0;
    for (unsigned i = 0; i != scores.size(); ++i)
      if (scores[i] >= leastScore)
        order[candidates++] = int(i);
    sortByScore(&scores[0], &order[0], candidates);
    const unsigned room = rows.size() / 5;
    unsigned found = 0;
    const float *before = nullptr;
    for (unsigned i = 0; i != candidates && found != room; ++i) {
      const float *box = &boxes[4 * unsigned(order[i])];
      if (before && overlap(before, box) > mostOverlap)
        continue;
      for (unsigned side = 0; side != 4; ++side)
        rows[5 * found + side] = box[side];
      rows[5 * found + 4] = scores[unsigned(order[i])];
      ++found;
      before = box;
    }
    *used = found;
    for (unsigned i = 5 * found; i != rows.size(); ++i)
      rows[i] = 0.0f;
  }

private:
  static float area(const float *box) { return (box[2] - box[0]) * (box[3] - box[1]); }

  static float overlap(const float *a, const float *b) {
    const float height = smaller(a[2], b[2]) - larger(a[0], b[0]);
    const float width = smaller(a[3], b[3]) - larger(a[1], b[1]);
    const float common = larger(height, 0.0f) * larger(width, 0.0f);
    return common / (area(b) + area(a) - common);
  }
};
