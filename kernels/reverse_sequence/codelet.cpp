// Reversal of the first steps of sequences.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Which row each row comes from; rows are the entries of the first two axes, this part's from
// `begin` on.
class ReversedRows : public Vertex {
public:
  Input<Vector<int>> lengths;
  Output<Vector<unsigned>> source;
  unsigned begin;
  unsigned steps;
  bool isTimeFirst;

  void compute() {
    const unsigned sequences = lengths.size();
    for (unsigned i = 0; i != source.size(); ++i) {
      const unsigned row = begin + i;
      const unsigned step = isTimeFirst ? row / sequences : row % steps;
      const unsigned of = isTimeFirst ? row % sequences : row / steps;
      const int given = lengths[of];
      const unsigned length = given < 0 ? 0 : (unsigned(given) < steps ? unsigned(given) : steps);
      const unsigned from = step < length ? length - 1 - step : step;
      source[i] = isTimeFirst ? from * sequences + of : of * steps + from;
    }
  }
};
