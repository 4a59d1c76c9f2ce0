// The objects that an SSD network found.
#include "../include/odla_codelet.hpp"
#include "../include/odla_sort.hpp"

using namespace odla;

// Boxes of some priors of one image: location [prior, set, 4] to boxes of the same shape.
template <class T> class DecodeBoxes : public Vertex {
public:
  Input<Vector<T>> location;
  Input<Vector<T>> priors;
  Input<Pointer<T>> variances;
  Output<Pointer<float>> boxes;
  int codeType; // 1: corners, 2: centre and size, 3: corners in units of the size

  void compute() {
    const unsigned count = priors.size() / 4, sets = location.size() / priors.size();
    for (unsigned i = 0; i != count; ++i)
      for (unsigned of = 0; of != sets; ++of)
        decode(i, (i * sets + of) * 4);
  }

private:
  void decode(unsigned i, unsigned at) {
    float prior[4], change[4];
    for (unsigned side = 0; side != 4; ++side) {
      prior[side] = float(priors[4 * i + side]);
      change[side] = float(variances[4 * i + side]) * float(location[at + side]);
    }
    const float size[2] = {prior[2] - prior[0], prior[3] - prior[1]};
    for (unsigned axis = 0; axis != 2; ++axis) {
      float low = prior[axis], high = prior[2 + axis];
      if (codeType == 2) {
        const float centre = change[axis] * size[axis] + (low + high) / 2.0f;
        const float half = fastExp(change[2 + axis]) * size[axis] / 2.0f;
        low = centre - half;
        high = centre + half;
      } else {
        const float unit = codeType == 3 ? size[axis] : 1.0f;
        low += change[axis] * unit;
        high += change[2 + axis] * unit;
      }
      boxes[at + axis] = low;
      boxes[at + 2 + axis] = high;
    }
  }
};

template class DecodeBoxes<float>;
template class DecodeBoxes<half>;

// The boxes of one class of one image that stay.
template <class T> class SuppressBoxes : public Vertex {
public:
  Input<Pointer<float>> boxes;
  Input<Vector<T>> scores;
  Output<Vector<int>> chosen;
  Output<int> count;
  Output<Pointer<int>> order; // scratch
  float confidence;
  float threshold;
  float eta;
  int topK;

  void compute() {
    unsigned candidates = 0;
    for (unsigned i = 0; i != scores.size(); ++i)
      if (float(scores[i]) > confidence)
        order[candidates++] = int(i);
    sortByScore(&scores[0], &order[0], candidates);
    if (topK >= 0 && unsigned(topK) < candidates)
      candidates = unsigned(topK);
    float limit = threshold;
    unsigned found = 0;
    for (unsigned i = 0; i != candidates; ++i) {
      if (highest(&boxes[4 * unsigned(order[i])], found) > limit)
        continue;
      chosen[found++] = order[i];
      if (eta < 1.0f && limit > 0.5f)
        limit *= eta;
    }
    *count = int(found);
    for (unsigned i = found; i != chosen.size(); ++i)
      chosen[i] = -1;
  }

private:
  static float area(const float *box) {
    const float width = box[2] - box[0], height = box[3] - box[1];
    return width < 0 || height < 0 ? 0.0f : width * height;
  }

  // The largest overlap with what was chosen.
  float highest(const float *box, unsigned found) const {
    float most = 0.0f;
    for (unsigned i = 0; i != found; ++i) {
      const float *other = &boxes[4 * unsigned(chosen[i])];
      const float width = smaller(box[2], other[2]) - larger(box[0], other[0]);
      const float height = smaller(box[3], other[3]) - larger(box[1], other[1]);
      const float common = larger(width, 0.0f) * larger(height, 0.0f);
      const float overlap = common / (area(box) + area(other) - common);
      most = overlap > most ? overlap : most;
    }
    return most;
  }
};

template class SuppressBoxes<float>;
template class SuppressBoxes<half>;

// The best objects of one image, by class.
template <class T> class KeepBest : public Vertex {
public:
  Input<Vector<int>> counts; // of each class
  Input<Pointer<int>> chosen; // [class, room]
  Input<Pointer<T>> scores;   // [prior, class]
  Input<Pointer<float>> boxes; // [prior, set, 4]
  Output<Vector<float>> rows;  // [row, 7]
  Output<int> used;
  Output<Pointer<int>> order;   // scratch
  Output<Pointer<float>> found; // scratch: the objects' scores
  unsigned room;
  unsigned sets;
  int image;

  void compute() {
    const unsigned classes = counts.size(), most = rows.size() / 7;
    unsigned objects = 0;
    for (unsigned label = 0; label != classes; ++label)
      for (unsigned i = 0; i != unsigned(counts[label]); ++i) {
        found[objects] = float(scores[unsigned(chosen[label * room + i]) * classes + label]);
        order[objects] = int(objects);
        ++objects;
      }
    unsigned kept = objects;
    if (objects > most) {
      sortByScore(&found[0], &order[0], objects);
      // What is left out is marked; NaN is larger than nothing.
      for (unsigned i = most; i != objects; ++i)
        found[unsigned(order[i])] = std::numeric_limits<float>::quiet_NaN();
      kept = most;
    }
    unsigned object = 0, row = 0;
    for (unsigned label = 0; label != classes; ++label)
      for (unsigned i = 0; i != unsigned(counts[label]); ++i, ++object)
        if (found[object] == found[object])
          write(row++, label, unsigned(chosen[label * room + i]), found[object]);
    *used = int(kept);
    for (unsigned i = 7 * kept; i != rows.size(); ++i)
      rows[i] = -1.0f;
  }

private:
  void write(unsigned row, unsigned label, unsigned prior, float score) {
    const float *box = &boxes[(prior * sets + (sets == 1 ? 0 : label)) * 4];
    rows[7 * row] = float(image);
    rows[7 * row + 1] = float(int(label));
    rows[7 * row + 2] = score;
    for (unsigned side = 0; side != 4; ++side)
      rows[7 * row + 3 + side] = box[side];
  }
};

template class KeepBest<float>;
template class KeepBest<half>;
