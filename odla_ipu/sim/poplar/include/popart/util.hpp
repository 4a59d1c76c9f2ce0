#ifndef popart_util_hpp
#define popart_util_hpp
#include <popart/op.hpp>
#endif
