// A leaky rectifier in the style of Graphcore's tutorials.
#include <poplar/HalfFloat.hpp>
#include <poplar/Vertex.hpp>

namespace acme {

template <typename T> class LeakyReluVertex : public poplar::Vertex {
public:
  poplar::Input<poplar::Vector<T>> in;
  poplar::Output<poplar::Vector<T>> out;
  const float alpha;

  LeakyReluVertex();

  bool compute() {
    for (unsigned i = 0; i < in.size(); ++i) {
      const float x = float(in[i]);
      out[i] = T(x < 0 ? alpha * x : x);
    }
    return true;
  }
};

template class LeakyReluVertex<float>;
template class LeakyReluVertex<half>;

// The gradient, as a MultiVertex.
template <typename T> class LeakyReluGradVertex : public poplar::MultiVertex {
  typedef poplar::Vector<T, poplar::VectorLayout::ONE_PTR, 8> Part;

public:
  poplar::Input<Part> grad;
  poplar::Input<Part> in;
  poplar::Output<Part> out;
  unsigned size;
  float alpha;

  void compute(unsigned workerId) {
    for (unsigned i = workerId; i < size; i += numWorkers())
      out[i] = T(float(grad[i]) * (float(in[i]) < 0 ? alpha : 1.0f));
  }
};

#define INSTANTIATE(type) template class LeakyReluGradVertex<type>
INSTANTIATE(float);
INSTANTIATE(half);

} // namespace acme
