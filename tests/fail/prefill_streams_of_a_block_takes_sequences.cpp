// One vector of each stream in the place of sequences.
// expect: xs must have one sequence of tokens for each stream; for one token of each stream use krait::step_streams
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(block, block_states, xs, ys);
#else
  krait::prefill_streams(block, block_states, xs, ys);
#endif
}
