// Numbers of few bits back to float.
#include "../include/odla_codelet.hpp"

using namespace odla;

// As QuantizeElements of QuantizeLinear.
template <class Q> class DequantizeElements : public Vertex {
public:
  Input<Vector<Q>> in;
  Input<Vector<float>> scale;
  Input<Pointer<Q>> zeroPoint;
  Output<Pointer<float>> out;
  unsigned first;
  unsigned inner;

  void compute() {
    for (unsigned begin = 0; begin < in.size();) {
      const unsigned at = first + begin, left = in.size() - begin, room = inner - at % inner;
      const unsigned entry = at / inner % scale.size(), count = left < room ? left : room;
      const Q *from = &in[begin];
      float *to = &out[begin];
      const float factor = scale[entry];
      const unsigned zero = unsigned(int(zeroPoint[entry]));
      for (unsigned i = 0; i != count; ++i)
        to[i] = float(int(unsigned(int(from[i])) - zero)) * factor;
      begin += count;
    }
  }
};

template class DequantizeElements<signed char>;
template class DequantizeElements<unsigned char>;
template class DequantizeElements<int>;
