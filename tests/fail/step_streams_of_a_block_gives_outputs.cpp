// The call passes krait::no_output for a block, which cannot skip its outputs.
// expect: krait::no_output is accepted only with a language model or a stack that pools
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(block, block_states, xs, ys);
#else
  krait::step_streams(block, block_states, xs, krait::no_output);
#endif
}
