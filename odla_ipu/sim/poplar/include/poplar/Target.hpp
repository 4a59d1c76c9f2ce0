#ifndef poplar_Target_hpp
#define poplar_Target_hpp

#include <cstddef>
#include <cstdint>
#include <string>

#include <poplar/TargetType.hpp>
#include <poplar/Type.hpp>

namespace poplar {

// The machine that a graph is for: one IPU.
class Target {
public:
  Target() = default;
  Target(unsigned tiles, unsigned workers, std::size_t bytesPerTile, double clock,
         std::string architecture);

  TargetType getTargetType() const { return TargetType::IPU; }
  std::string getTargetArchString() const { return architecture_; }
  unsigned getNumIPUs() const { return 1; }
  unsigned getTilesPerIPU() const { return tiles_; }
  unsigned getNumTiles() const { return tiles_; }
  unsigned getNumWorkerContexts() const { return workers_; }
  std::size_t getBytesPerTile() const { return bytesPerTile_; }
  std::uint64_t getMemoryBytes() const { return std::uint64_t(bytesPerTile_) * tiles_; }
  unsigned getDataPathWidth() const { return 64; }
  unsigned getAtomicStoreGranularity() const { return 4; }
  unsigned getExchangeBytesPerCycle() const { return 4; }
  unsigned getRptCountMax() const { return 4095; }
  double getTileClockFrequency() const { return clock_; }
  std::size_t getTypeSize(const Type &type) const;
  unsigned getVectorWidth(const Type &type) const;

private:
  unsigned tiles_ = 1472, workers_ = 6;
  std::size_t bytesPerTile_ = 638976;
  double clock_ = 1.33e9;
  std::string architecture_ = "ipu2";
};

} // namespace poplar

#endif
