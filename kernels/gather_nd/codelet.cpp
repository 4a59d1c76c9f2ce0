// Tuples of indices to rows.
#include "../include/odla_codelet.hpp"

using namespace odla;

// The rows that tuples name; this part's tuples begin with number `begin`, each batch has
// `tuples` of them and `rows` rows.
class TupleRows : public Vertex {
public:
  Input<Pointer<int>> indices;
  Output<Vector<unsigned>> source;
  Vector<int> dims;
  unsigned begin;
  unsigned tuples;
  unsigned rows;

  void compute() {
    const unsigned length = dims.size();
    for (unsigned i = 0; i != source.size(); ++i) {
      unsigned row = 0;
      for (unsigned d = 0; d != length; ++d) {
        const int size = dims[d], given = indices[i * length + d];
        const int at = given < 0 ? given + size : given;
        row = row * unsigned(size) + unsigned(at < 0 ? 0 : at < size ? at : size - 1);
      }
      source[i] = (begin + i) / tuples * rows + row;
    }
  }
};
