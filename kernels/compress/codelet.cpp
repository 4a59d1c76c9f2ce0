// What a condition keeps.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Where each entry that is kept comes from; -1 beyond the last one.
class CompressedPlaces : public Vertex {
public:
  Input<Vector<bool>> condition;
  Output<Vector<int>> source;
  Output<int> count;

  void compute() {
    unsigned found = 0;
    for (unsigned i = 0; i != condition.size(); ++i)
      if (condition[i])
        source[found++] = int(i);
    *count = int(found);
    for (unsigned i = found; i != source.size(); ++i)
      source[i] = -1;
  }
};

// Entries of `size` elements out of some blocks of the input, which has `entries` in a block.
template <class T> class CompressBlocks : public Vertex {
public:
  Input<Pointer<T>> input;
  Input<Vector<int>> source;
  Output<Pointer<T>> output;
  unsigned blocks;
  unsigned entries;
  unsigned size;

  void compute() {
    for (unsigned block = 0; block != blocks; ++block)
      for (unsigned i = 0; i != source.size(); ++i) {
        const int place = source[i];
        T *to = &output[(block * source.size() + i) * size];
        if (place < 0) {
          for (unsigned j = 0; j != size; ++j)
            to[j] = T(0);
          continue;
        }
        const T *from = &input[(block * entries + unsigned(place)) * size];
        for (unsigned j = 0; j != size; ++j)
          to[j] = from[j];
      }
  }
};

template class CompressBlocks<unsigned char>;
template class CompressBlocks<unsigned short>;
template class CompressBlocks<unsigned int>;
