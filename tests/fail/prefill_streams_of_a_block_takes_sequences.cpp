// The call passes one input vector for each stream instead of one sequence of vectors.
// expect: each stream needs a sequence of tokens; for one token, use krait::step_streams
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(block, block_states, xs, ys);
#else
  krait::prefill_streams(block, block_states, xs, ys);
#endif
}
