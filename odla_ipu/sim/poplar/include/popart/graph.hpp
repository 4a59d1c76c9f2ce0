#ifndef popart_graph_hpp
#define popart_graph_hpp
#include <popart/op.hpp>
#endif
