// The output vectors have 48 elements, but d_out of the block is 64.
// expect: must hold d_out elements
// expect: got<48>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(block, block_states, xs, ys);
#else
  krait::Tensor<float, 2, 48> short_ys;
  krait::step_streams(block, block_states, xs, short_ys);
#endif
}
