// How scattered elements join what is there.
#ifndef odla_reduction_hpp
#define odla_reduction_hpp

#include "odla_codelet.hpp"

namespace odla {

// 0: replace, 1: add, 2: multiply, 3: the larger, 4: the smaller.
template <class T> inline T joined(int how, T old, T given) {
  switch (how) {
  case 0: return given;
  case 1: return T(old + given);
  case 2: return T(old * given);
  case 3: return given > old || given != given ? given : old;
  default: return given < old || given != given ? given : old;
  }
}
inline half joined(int how, half old, half given) {
  half result;
  store(result, joined(how, float(old), float(given)));
  return result;
}

} // namespace odla

#endif
