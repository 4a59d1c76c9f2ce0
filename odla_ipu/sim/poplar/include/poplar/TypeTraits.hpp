#ifndef poplar_TypeTraits_hpp
#define poplar_TypeTraits_hpp
#include <poplar/Type.hpp>
#endif
