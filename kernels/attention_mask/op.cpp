// IpuAttentionMask: rows of the masks, a share to each tile.
#include "../include/odla_kernel.hpp"

#include <popops/Cast.hpp>

using namespace odla;

namespace {

bool isInteger(const TensorInfo &info) {
  switch (info.dataType()) {
  case DataType::INT8:
  case DataType::INT16:
  case DataType::INT32:
  case DataType::UINT8:
  case DataType::UINT16:
  case DataType::UINT32:
    return true;
  default:
    return false;
  }
}

Infos infer(const Inputs &in, const NoAttributes &) {
  const Shape &dims = in[0].shape();
  require(isInteger(in[0]) && dims.size() == 2 && isFloat(in[1]),
          "an index of integers [B,S], data of FLOAT or FLOAT16");
  return {TensorInfo(in[1].dataType(), {dims[0], 1, dims[1], dims[1]})};
}

struct Lowering : Opx<NoAttributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    Tensor index = getInTensor(0);
    if (index.elementType() != poplar::INT && index.elementType() != poplar::UNSIGNED_INT)
      index = popops::cast(graph(), index, poplar::INT, prog, debugContext("index"));
    const Tensor mask = output(0);
    const std::size_t size = index.dim(1);
    const auto name = poputil::templateVertex("MaskRows", index.elementType(), mask.elementType());
    const auto work = graph().addComputeSet(debugContext("mask"));
    shareAmongWorkers(index.numElements(), 1, [&](unsigned tile, std::size_t begin,
                                                  std::size_t end) {
      while (begin < end) { // rows of one sequence at a time
        const std::size_t batch = begin / size, next = std::min(end, (batch + 1) * size);
        const auto made = vertex("attention_mask", work, name, tile);
        connect(made, "own", index.flatten().slice(begin, next));
        connect(made, "all", index[batch]);
        connect(made, "mask", mask.flatten().slice(begin * size, next * size));
        begin = next;
      }
    });
    prog.add(Execute(work));
    setOutTensor(0, mask);
  }
};

} // namespace

ODLA_KERNEL(IpuAttentionMask, NoAttributes, infer, Lowering, 2)
