// The call passes krait::no_output for a block, which cannot skip its output.
// expect: krait::no_output
// expect: only with a language model or a stack that pools
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(block, block_state, x, y);
#else
  krait::step(block, block_state, x, krait::no_output);
#endif
}
