// What a condition keeps.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Where each entry that is kept comes from; beyond the last one the first.
class CompressedPlaces : public Vertex {
public:
  Input<Vector<bool>> condition;
  Output<Vector<unsigned>> source;
  Output<int> count;

  void compute() {
    unsigned found = 0;
    for (unsigned i = 0; i != condition.size(); ++i)
      if (condition[i])
        source[found++] = i;
    *count = int(found);
    for (unsigned i = found; i != source.size(); ++i)
      source[i] = 0;
  }
};

// Zeros in a part of an output of rows of `size` elements, from row `count` on; the part begins at
// element `begin` of the output.
template <class T> class ClearRest : public Vertex {
public:
  Input<int> count;
  InOut<Vector<T>> part;
  unsigned begin;
  unsigned size;

  void compute() {
    const unsigned kept = unsigned(*count) * size;
    for (unsigned i = kept > begin ? kept - begin : 0; i < part.size(); ++i)
      part[i] = T(0);
  }
};

template class ClearRest<unsigned char>;
template class ClearRest<unsigned short>;
template class ClearRest<unsigned int>;

// Entries of `size` elements out of some blocks of the input, which has `entries` in a block.
template <class T> class CompressBlocks : public Vertex {
public:
  Input<Pointer<T>> input;
  Input<Vector<unsigned>> source;
  Input<int> count;
  Output<Pointer<T>> output;
  unsigned blocks;
  unsigned entries;
  unsigned size;

  void compute() {
    const unsigned rows = source.size(), kept = unsigned(*count);
    const unsigned *places = &source[0];
    for (unsigned block = 0; block != blocks; ++block) {
      T *to = &output[block * rows * size];
      const T *from = &input[block * entries * size];
      if (size == 1)
        for (unsigned i = 0; i != kept; ++i)
          to[i] = from[places[i]];
      else
        for (unsigned i = 0; i != kept; ++i)
          for (unsigned j = 0; j != size; ++j)
            to[i * size + j] = from[places[i] * size + j];
      for (unsigned i = kept * size; i < rows * size; ++i)
        to[i] = T(0);
    }
  }
};

template class CompressBlocks<unsigned char>;
template class CompressBlocks<unsigned short>;
template class CompressBlocks<unsigned int>;

// What was kept goes back to where it stood among `entries`, with zeros in between.
template <class T> class SpreadBlocks : public Vertex {
public:
  Input<Pointer<T>> gradient;
  Input<Vector<bool>> condition;
  Output<Pointer<T>> out;
  unsigned blocks;
  unsigned kept;
  unsigned entries;
  unsigned size;

  void compute() {
    for (unsigned block = 0; block != blocks; ++block) {
      const T *from = &gradient[block * kept * size];
      T *to = &out[block * entries * size];
      for (unsigned i = 0; i != entries; ++i, to += size) {
        const bool isKept = i < condition.size() && condition[i];
        for (unsigned j = 0; j != size; ++j)
          to[j] = isKept ? *from++ : T(0);
      }
    }
  }
};

template class SpreadBlocks<float>;
template class SpreadBlocks<half>;
