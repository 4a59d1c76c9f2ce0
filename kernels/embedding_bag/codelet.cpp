// Sums of rows.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Indices as offsets of rows, 0 where there is none, and how often the row counts.
template <class T> class BagEntries : public Vertex {
public:
  Input<Vector<int>> indices;
  Input<Pointer<T>> weights;
  Output<Pointer<unsigned>> offsets;
  Output<Pointer<float>> factors;
  unsigned rows;

  void compute() {
    for (unsigned i = 0; i != indices.size(); ++i) {
      const bool exists = indices[i] >= 0 && unsigned(indices[i]) < rows;
      offsets[i] = exists ? unsigned(indices[i]) : 0u;
      factors[i] = exists ? float(weights[i]) : 0.0f;
    }
  }
};

template class BagEntries<float>;
template class BagEntries<half>;

// Some bags' rows [bag, entry, n] to their sums [bag, n]; rows that count 0 times are left out,
// whatever they hold.
template <class T> class SumBags : public Vertex {
public:
  Input<Pointer<T>> rows;
  Input<Vector<float>> factors;
  Output<Vector<T>> out;
  unsigned entries;
  unsigned size;

  void compute() {
    const unsigned bags = out.size() / size;
    float sums[block];
    for (unsigned bag = 0; bag != bags; ++bag)
      for (unsigned begin = 0; begin < size; begin += block) {
        const unsigned count = size - begin < block ? size - begin : block;
        for (unsigned i = 0; i != block; ++i)
          sums[i] = 0.0f;
        for (unsigned entry = 0; entry != entries; ++entry) {
          const float factor = factors[bag * entries + entry];
          const T *row = &rows[(bag * entries + entry) * size + begin];
          if (factor != 0.0f)
            for (unsigned i = 0; i != count; ++i)
              sums[i] += factor * float(row[i]);
        }
        for (unsigned i = 0; i != count; ++i)
          store(out[bag * size + begin + i], sums[i]);
      }
  }

private:
  static constexpr unsigned block = 32; // on the stack
};

template class SumBags<float>;
template class SumBags<half>;

// Of some bags: the gradient of each entry's row, and of its weight.
template <class T> class BagGradients : public Vertex {
public:
  Input<Pointer<T>> gradient; // [bag, n]
  Input<Vector<int>> indices; // [bag, entry]
  Input<Pointer<T>> rows;     // [bag, entry, n]
  Input<Pointer<float>> factors;
  Output<Pointer<float>> slices; // as rows
  Output<Pointer<float>> dots;   // [bag, entry]
  unsigned entries;
  unsigned size;
  unsigned tableRows;

  void compute() {
    for (unsigned entry = 0; entry != indices.size(); ++entry) {
      const T *from = &gradient[entry / entries * size];
      const T *row = &rows[entry * size];
      float *to = &slices[entry * size];
      float sum = 0.0f;
      for (unsigned i = 0; i != size; ++i) {
        to[i] = factors[entry] * float(from[i]);
        sum += float(from[i]) * float(row[i]);
      }
      const bool exists = indices[entry] >= 0 && unsigned(indices[entry]) < tableRows;
      dots[entry] = exists ? sum : 0.0f;
    }
  }
};

template class BagGradients<float>;
template class BagGradients<half>;
