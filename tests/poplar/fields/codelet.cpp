// Every kind of field.
#include <poplar/HalfFloat.hpp>
#include <poplar/VectorTypes.hpp>
#include <poplar/Vertex.hpp>
#include <print.h>

/* class Hidden : public poplar::Vertex { } -- no class */
#define PRIVATE_FIELDS unsigned addend; const char *text() const { return "; struct {"; }

namespace outer::inner {

enum class Way { PLAIN, TWICE };

struct Helper { // no vertex
  float value;
};

template <class T> class [[poplar::constraint("elem(*in) != elem(*out)")]] Base {
public:
  poplar::Input<poplar::Vector<T>> in;
};

// Fields of a base, of a macro, several in one line, with initial values; private inheritance.
template <class T, bool Negate, unsigned Times, Way way>
class Everything : Base<T>, poplar::Vertex {
  using Parent = Base<T>;
  static constexpr unsigned factor = Times;

public:
  Everything();
  const T scale;
  const bool isOn = true;
  poplar::Input<T> first, second;
  poplar::Output<poplar::Vector<T, poplar::VectorLayout::SPAN>> out;
  poplar::Output<T> sum;
  poplar::InOut<poplar::Vector<T, poplar::VectorLayout::SCALED_PTR32, 4>> counter;
  const poplar::Vector<unsigned short> table;
  short offsets[2]; // an array is no field
  PRIVATE_FIELDS

  void compute() {
    T total = 0;
    for (unsigned i = 0; i < out.size(); ++i) {
      T x = Parent::in[i] * scale + T(table[i % table.size()]) + *first - second;
      x = Negate ? -x : x;
      out[i] = way == Way::TWICE ? x * T(factor) : x;
      total += out[i];
    }
    *sum = isOn ? total : T(addend);
    counter[0] += 1;
  }
};

template class Everything<float, true, 3u, Way::TWICE>;
template class Everything<int, false, 1, Way::PLAIN>;

} // namespace outer::inner

using namespace poplar;

class Lists : public Vertex {
public:
  Vector<Input<Vector<float>>> rows;
  Vector<Output<Vector<float, VectorLayout::ONE_PTR>>, VectorLayout::ONE_PTR> outs;
  Input<VectorList<int, VectorListLayout::DELTANELEMENTS>> jagged;
  Vector<Input<int>> scalars;
  Output<int> total;

  bool compute() {
    for (unsigned i = 0; i < rows.size(); ++i)
      for (unsigned j = 0; j < rows[i].size(); ++j)
        outs[i][j] = 2 * rows[i][j];
    int sum = 0;
    for (unsigned i = 0; i < jagged.size(); ++i)
      for (unsigned j = 0; j < jagged[i].size(); ++j)
        sum += jagged[i][j];
    for (auto &one : scalars)
      sum += one;
    *total = sum;
    return true;
  }
};

class EachWorker : public MultiVertex {
public:
  Input<Vector<half, VectorLayout::SPAN, 8>> in;
  Output<Vector<half, VectorLayout::ONE_PTR, 8>> out;

  void compute(unsigned workerId) {
    const half4 *from = reinterpret_cast<const half4 *>(&in[0]);
    half4 *to = reinterpret_cast<half4 *>(&out[0]);
    for (unsigned i = workerId; i < in.size() / 4; i += numWorkers())
      to[i] = from[i] + from[i];
  }
};

class Supervised : public SupervisorVertexIf<true> {
public:
  InOut<unsigned> value;
  void compute() { *value = *value + 1; }
};
