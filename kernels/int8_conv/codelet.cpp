// Convolutions of 8-bit images.
#include "../include/odla_codelet.hpp"

using namespace odla;

// Some output channels [o,H,W] of one image and one group, from the channels [c,H,W] of that group.
template <class X, class W> class ConvolveBytes : public Vertex {
public:
  Input<Pointer<X>> input;
  Input<Pointer<W>> kernel;
  Output<Vector<int>> out;
  unsigned channels;
  unsigned inRows, inColumns;
  unsigned outRows, outColumns;
  unsigned kernelRows, kernelColumns;
  int strideRows, strideColumns;
  int padTop, padLeft;
  int dilationRows, dilationColumns;
  int inputZero;
  int kernelZero;

  void compute() {
    const unsigned plane = outRows * outColumns;
    for (unsigned i = 0; i != out.size(); ++i)
      out[i] = 0;
    const W *weight = &kernel[0];
    for (unsigned of = 0; of != out.size() / plane; ++of)
      for (unsigned channel = 0; channel != channels; ++channel)
        for (int row = 0; row != int(kernelRows); ++row)
          for (int column = 0; column != int(kernelColumns); ++column)
            addTap(&out[of * plane], &input[channel * inRows * inColumns],
                   int(*weight++) - kernelZero, row, column);
  }

private:
  void addTap(int *to, const X *from, int weight, int row, int column) const {
    // The output columns whose input lies inside the image.
    const int shift = column * dilationColumns - padLeft;
    int first = shift < 0 ? (-shift + strideColumns - 1) / strideColumns : 0;
    int last = (int(inColumns) - 1 - shift) / strideColumns + 1;
    if (int(inColumns) - 1 - shift < 0)
      return;
    last = last < int(outColumns) ? last : int(outColumns);
    for (int y = 0; y != int(outRows); ++y) {
      const int at = y * strideRows + row * dilationRows - padTop;
      if (at < 0 || at >= int(inRows))
        continue;
      int *line = to + y * int(outColumns);
      const X *source = from + at * int(inColumns) + shift;
      if (strideColumns == 1)
        for (int x = first; x < last; ++x)
          line[x] += weight * (int(source[x]) - inputZero);
      else
        for (int x = first; x < last; ++x)
          line[x] += weight * (int(source[x * strideColumns]) - inputZero);
    }
  }
};

template class ConvolveBytes<signed char, signed char>;
template class ConvolveBytes<signed char, unsigned char>;
template class ConvolveBytes<unsigned char, signed char>;
template class ConvolveBytes<unsigned char, unsigned char>;
