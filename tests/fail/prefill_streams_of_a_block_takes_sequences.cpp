// One vector of each stream in the place of sequences.
// expect: each stream needs a sequence of tokens; for one token, use krait::step_streams
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(block, block_states, xs, ys);
#else
  krait::prefill_streams(block, block_states, xs, ys);
#endif
}
