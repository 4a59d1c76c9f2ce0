#ifndef popart_opdebuginfo_hpp
#define popart_opdebuginfo_hpp
#include <popart/names.hpp>
#endif
