// Numbers to 8 bits.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Elements from number `first` on; each entry of scale and zeroPoint is for `inner` elements in a
// row, and they repeat.
template <class T, class Q> class QuantizeElements : public Vertex {
public:
  Input<Vector<T>> in;
  Input<Vector<float>> scale;
  Input<Pointer<Q>> zeroPoint;
  Output<Pointer<Q>> out;
  unsigned first;
  unsigned inner;

  void compute() {
    for (unsigned begin = 0; begin < in.size();) {
      const unsigned at = first + begin, left = in.size() - begin, room = inner - at % inner;
      const unsigned entry = at / inner % scale.size(), count = left < room ? left : room;
      quantize(&in[begin], &out[begin], count, scale[entry], int(zeroPoint[entry]));
      begin += count;
    }
  }

private:
  static void quantize(const T *from, Q *to, unsigned count, float scale, int zero) {
    const float low = float(int(std::numeric_limits<Q>::min()) - zero);
    const float high = float(int(std::numeric_limits<Q>::max()) - zero);
    const float magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to whole numbers
    for (unsigned i = 0; i != count; ++i) {
      float x = float(from[i]) / scale;
      x = x == x ? x : 0.0f;
      x = x > low ? x : low;
      x = x < high ? x : high;
      const float whole = (x + magic) - magic;
      to[i] = Q(int(whole) + zero);
    }
  }
};

template class QuantizeElements<float, signed char>;
template class QuantizeElements<float, unsigned char>;
template class QuantizeElements<half, signed char>;
template class QuantizeElements<half, unsigned char>;
