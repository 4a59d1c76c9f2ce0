// printf in codelets.
#ifndef print_h
#define print_h

#include <cstdio>

using std::printf;

#endif
