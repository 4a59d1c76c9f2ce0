#ifndef poplar_VectorLayout_hpp
#define poplar_VectorLayout_hpp
#include <poplar/Vertex.hpp>
#endif
