// The largest elements in the cells of regions.
#include "../include/odla_codelet.hpp"

using namespace odla;

namespace {

inline int rounded(float x) {
  const float size = std::floor(std::fabs(x) + 0.5f);
  const float held = size < 1e9f ? size : 1e9f; // also for NaN
  return int(x < 0 ? -held : held);
}

// Where a cell begins, or ends, within the image.
inline int bound(int first, int last, unsigned cell, unsigned cells, unsigned size, bool isEnd) {
  const long long length = last - first + 1 > 1 ? last - first + 1 : 1;
  const long long count = cells, index = cell;
  const long long place = first + (isEnd ? ((index + 1) * length + count - 1) / count
                                         : index * length / count);
  return int(place < 0 ? 0 : place > (long long)size ? (long long)size : place);
}

} // namespace

// Some channels of some regions: input [image, channel, row, column], output [region, channel,
// cell row, cell column].
template <class T> class PoolRegions : public Vertex {
public:
  Input<Pointer<T>> input;
  Input<Vector<float>> rois;
  Input<Pointer<int>> images;
  Output<Pointer<T>> output;
  unsigned imageCount;
  unsigned channels;
  unsigned rows;
  unsigned columns;
  unsigned cellRows;
  unsigned cellColumns;
  float scale;

  void compute() {
    for (unsigned region = 0; region != rois.size() / 4; ++region) {
      const float *corners = &rois[4 * region];
      const int x1 = rounded(corners[0] * scale), y1 = rounded(corners[1] * scale);
      const int x2 = rounded(corners[2] * scale), y2 = rounded(corners[3] * scale);
      const int image = images[region];
      const bool exists = image >= 0 && unsigned(image) < imageCount;
      for (unsigned first = 0; first < cellColumns; first += most) {
        const unsigned left = cellColumns - first, count = left < most ? left : most;
        int begins[most], ends[most];
        for (unsigned cell = 0; cell != count; ++cell) {
          begins[cell] = bound(x1, x2, first + cell, cellColumns, columns, false);
          ends[cell] = bound(x1, x2, first + cell, cellColumns, columns, true);
        }
        for (unsigned cellRow = 0; cellRow != cellRows; ++cellRow) {
          const int top = bound(y1, y2, cellRow, cellRows, rows, false);
          const int bottom = exists ? bound(y1, y2, cellRow, cellRows, rows, true) : top;
          for (unsigned channel = 0; channel != channels; ++channel) {
            const unsigned plane = (exists ? unsigned(image) : 0u) * channels + channel;
            T *to = &output[((region * channels + channel) * cellRows + cellRow) * cellColumns];
            poolRow(&input[plane * rows * columns], top, bottom, begins, ends, count, to + first);
          }
        }
      }
    }
  }

private:
  // A row of cells, each of the columns that its begin and end say; none gives zero.
  void poolRow(const T *plane, int top, int bottom, const int *begins, const int *ends,
               unsigned count, T *to) const {
    const int begin = begins[0], width = ends[count - 1] - begin;
    if (top >= bottom || width <= 0 || width > reach) {
      for (unsigned cell = 0; cell != count; ++cell)
        to[cell] = top < bottom && begins[cell] < ends[cell]
                       ? largest(plane, top, bottom, begins[cell], ends[cell])
                       : T(0);
      return;
    }
    float best[reach]; // of each column, in a loop that becomes vector code
    const T *from = plane + unsigned(top) * columns + unsigned(begin);
    for (int column = 0; column != width; ++column)
      best[column] = float(from[column]);
    for (int row = top + 1; row < bottom; ++row) {
      from += columns;
      for (int column = 0; column != width; ++column)
        best[column] = largerOrNaN(best[column], float(from[column]));
    }
    for (unsigned cell = 0; cell != count; ++cell) {
      float y = begins[cell] < ends[cell] ? best[begins[cell] - begin] : 0.0f;
      for (int column = begins[cell] - begin + 1; column < ends[cell] - begin; ++column)
        y = largerOrNaN(y, best[column]);
      to[cell] = T(y);
    }
  }

  static float largerOrNaN(float best, float x) { return (x > best) | (x != x) ? x : best; }

  T largest(const T *plane, int top, int bottom, int left, int right) const {
    float best = float(plane[unsigned(top) * columns + unsigned(left)]);
    for (int row = top; row != bottom; ++row)
      for (int column = left; column != right; ++column)
        best = largerOrNaN(best, float(plane[unsigned(row) * columns + unsigned(column)]));
    return T(best);
  }

  static constexpr unsigned most = 32; // cells of a row at a time
  static constexpr int reach = 64;     // columns of the image that they have
};

template class PoolRegions<float>;
template class PoolRegions<half>;

// The gradient of some channels of the input: each cell's goes to all elements that are its largest.
template <class T> class SpreadRegions : public Vertex {
public:
  Input<Pointer<T>> gradient; // as output
  Input<Pointer<T>> input;
  Input<Vector<float>> rois;
  Input<Pointer<int>> images;
  Input<Pointer<T>> output;
  InOut<Pointer<float>> sums; // as input
  unsigned imageCount;
  unsigned channels;
  unsigned rows;
  unsigned columns;
  unsigned cellRows;
  unsigned cellColumns;
  float scale;

  void compute() {
    for (unsigned region = 0; region != rois.size() / 4; ++region) {
      const float *corners = &rois[4 * region];
      const int x1 = rounded(corners[0] * scale), y1 = rounded(corners[1] * scale);
      const int x2 = rounded(corners[2] * scale), y2 = rounded(corners[3] * scale);
      const int image = images[region];
      if (image < 0 || unsigned(image) >= imageCount)
        continue;
      for (unsigned row = 0; row != cellRows; ++row)
        for (unsigned column = 0; column != cellColumns; ++column)
          for (unsigned channel = 0; channel != channels; ++channel)
            spread((unsigned(image) * channels + channel) * rows * columns,
                   ((region * channels + channel) * cellRows + row) * cellColumns + column,
                   bound(y1, y2, row, cellRows, rows, false),
                   bound(y1, y2, row, cellRows, rows, true),
                   bound(x1, x2, column, cellColumns, columns, false),
                   bound(x1, x2, column, cellColumns, columns, true));
    }
  }

private:
  void spread(unsigned plane, unsigned cell, int top, int bottom, int left, int right) {
    for (int row = top; row < bottom; ++row)
      for (int column = left; column < right; ++column) {
        const unsigned at = plane + unsigned(row) * columns + unsigned(column);
        if (float(input[at]) == float(output[cell]))
          sums[at] += float(gradient[cell]);
      }
  }
};

template class SpreadRegions<float>;
template class SpreadRegions<half>;
