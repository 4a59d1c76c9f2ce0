// The largest elements in the cells of regions.
#include "../include/odla_codelet.hpp"

using namespace odla;

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
    T *to = &output[0];
    for (unsigned region = 0; region != rois.size() / 4; ++region) {
      const float *corners = &rois[4 * region];
      const int x1 = rounded(corners[0] * scale), y1 = rounded(corners[1] * scale);
      const int x2 = rounded(corners[2] * scale), y2 = rounded(corners[3] * scale);
      const int image = images[region];
      const bool exists = image >= 0 && unsigned(image) < imageCount;
      for (unsigned channel = 0; channel != channels; ++channel) {
        const T *plane = &input[((exists ? unsigned(image) : 0u) * channels + channel) *
                                rows * columns];
        for (unsigned cellRow = 0; cellRow != cellRows; ++cellRow) {
          const int top = bound(y1, y2, cellRow, cellRows, rows, false);
          const int bottom = bound(y1, y2, cellRow, cellRows, rows, true);
          for (unsigned cellColumn = 0; cellColumn != cellColumns; ++cellColumn) {
            const int left = bound(x1, x2, cellColumn, cellColumns, columns, false);
            const int right = bound(x1, x2, cellColumn, cellColumns, columns, true);
            *to++ = exists && top < bottom && left < right
                        ? largest(plane, top, bottom, left, right)
                        : T(0);
          }
        }
      }
    }
  }

private:
  static int rounded(float x) {
    const float size = std::floor(std::fabs(x) + 0.5f);
    const float held = size < 1e9f ? size : 1e9f; // also for NaN
    return int(x < 0 ? -held : held);
  }

  // Where a cell begins, or ends, within the image.
  static int bound(int first, int last, unsigned cell, unsigned cells, unsigned size, bool isEnd) {
    const long long length = last - first + 1 > 1 ? last - first + 1 : 1;
    const long long count = cells, index = cell;
    const long long place = first + (isEnd ? ((index + 1) * length + count - 1) / count
                                           : index * length / count);
    return int(place < 0 ? 0 : place > (long long)size ? (long long)size : place);
  }

  T largest(const T *plane, int top, int bottom, int left, int right) const {
    T best = plane[unsigned(top) * columns + unsigned(left)];
    for (int row = top; row != bottom; ++row)
      for (int column = left; column != right; ++column) {
        const T x = plane[unsigned(row) * columns + unsigned(column)];
        if (float(x) > float(best) || x != x)
          best = x;
      }
    return best;
  }
};

template class PoolRegions<float>;
template class PoolRegions<half>;
