// Int8MatMul: some rows a vertex, with as many columns as fit into a tile.
#include "../include/odla_kernel.hpp"

using namespace odla;

namespace {

struct Attributes {
  std::int64_t aZero, bZero;

  template <class Visitor> void visit(Visitor &&v) {
    v("a_zero", aZero);
    v("b_zero", bZero);
  }
};

bool isByte(const TensorInfo &info) {
  return info.dataType() == DataType::INT8 || info.dataType() == DataType::UINT8;
}

Infos infer(const Inputs &in, const Attributes &) {
  const Shape &a = in[0].shape(), &b = in[1].shape();
  require(isByte(in[0]) && isByte(in[1]) && a.size() == 3 && b.size() == 3 && a[2] == b[1] &&
              (a[0] == b[0] || b[0] == 1),
          "INT8 or UINT8 [batch,m,k] and [batch,k,n] or [1,k,n]");
  return {TensorInfo(DataType::INT32, {a[0], a[1], b[2]})};
}

constexpr std::size_t mostBytes = 262144; // of the columns in a tile

struct Lowering : Opx<Attributes> {
  using Opx::Opx;

  void grow(Sequence &prog) const final {
    const Tensor a = getInTensor(0), b = getInTensor(1), result = output(0);
    const std::size_t batch = a.dim(0), rows = a.dim(1), depth = a.dim(2), columns = b.dim(2);
    const auto name =
        poputil::templateVertex("MultiplyBytes", a.elementType(), b.elementType());
    const std::size_t parts = std::max<std::size_t>((depth * columns + mostBytes - 1) / mostBytes, 1);
    const std::size_t width = std::max<std::size_t>((columns + parts - 1) / parts, 1);
    const auto work = graph().addComputeSet(debugContext("multiply"));
    for (std::size_t left = 0; left < columns; left += width) {
      const std::size_t right = std::min(left + width, columns);
      shareAmongWorkers(batch * rows, 1, [&](unsigned tile, std::size_t begin, std::size_t end) {
        while (begin < end) { // rows of one matrix at a time
          const std::size_t of = begin / rows, next = std::min(end, (of + 1) * rows);
          const Tensor other = b[b.dim(0) == 1 ? 0 : of].slice(left, right, 1);
          const auto made = vertex("int8_mat_mul", work, name, tile + unsigned(left / width));
          connect(made, "a", a[of].slice(begin - of * rows, next - of * rows).flatten());
          connect(made, "b", other.flatten());
          connect(made, "out",
                  result[of].slice(begin - of * rows, next - of * rows).slice(left, right, 1).flatten());
          set(made, "depth", unsigned(depth));
          set(made, "columns", unsigned(right - left));
          set(made, "aZero", int(attributes().aZero));
          set(made, "bZero", int(attributes().bZero));
          begin = next;
        }
      });
    }
    prog.add(Execute(work));
    setOutTensor(0, result);
  }
};

} // namespace

ODLA_KERNEL(Int8MatMul, Attributes, infer, Lowering, 2)
