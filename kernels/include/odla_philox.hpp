// Random bits out of counters: Philox 4x32 with 10 rounds (Salmon and others, 2011).
#ifndef odla_philox_hpp
#define odla_philox_hpp

#include "odla_codelet.hpp"

namespace odla {

// The four words of counter `block` under a key of two words.
inline void philox(unsigned block, const unsigned *key, unsigned *words) {
  unsigned a = block, b = 0, c = 0, d = 0, one = key[0], two = key[1];
  for (int round = 0; round != 10; ++round) {
    const unsigned long long left = 0xD2511F53ull * a, right = 0xCD9E8D57ull * c;
    a = unsigned(right >> 32) ^ b ^ one;
    b = unsigned(right);
    c = unsigned(left >> 32) ^ d ^ two;
    d = unsigned(left);
    one += 0x9E3779B9u;
    two += 0xBB67AE85u;
  }
  words[0] = a;
  words[1] = b;
  words[2] = c;
  words[3] = d;
}

} // namespace odla

#endif
