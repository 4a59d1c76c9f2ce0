#ifndef popart_tensornames_hpp
#define popart_tensornames_hpp
#include <popart/op.hpp>
#endif
