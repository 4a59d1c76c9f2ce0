#ifndef popart_tensor_hpp
#define popart_tensor_hpp
#include <popart/op.hpp>
#endif
