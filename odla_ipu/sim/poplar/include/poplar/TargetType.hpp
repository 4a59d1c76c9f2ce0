#ifndef poplar_TargetType_hpp
#define poplar_TargetType_hpp

namespace poplar {

enum class TargetType { IPU, IPU_MODEL, CPU };

} // namespace poplar

#endif
