#include <poplar/Vertex.hpp>

using namespace poplar;

class CopyPart : public Vertex {
public:
  Input<Vector<float, VectorLayout::ONE_PTR>> in;
  Output<Vector<float>> out;
  unsigned from;

  void compute() {
    for (unsigned i = 0; i < out.size(); ++i)
      out[i] = in[from + i];
  }
};

class WritesPast : public Vertex {
public:
  Output<Vector<float>> out;

  void compute() {
    float *to = &out[0];
    for (unsigned i = 0; i <= out.size(); ++i)
      to[i] = 1.0f;
  }
};

class Crashes : public Vertex {
public:
  Output<Vector<float>> out;

  void compute() {
    volatile int *nowhere = nullptr;
    out[0] = float(*nowhere);
  }
};

class NeverEnds : public Vertex {
public:
  Output<Vector<float>> out;
  unsigned step;

  void compute() {
    volatile unsigned count = 1;
    while (count != 0)
      count = count + 2;
    out[0] = 1.0f;
  }
};
