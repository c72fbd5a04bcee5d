// The input vectors have 48 elements, but d_in of the block is 64.
// expect: xs, the tokens, must be a sequence of vectors of d_in floats
// expect: has_vectors_of<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(block, block_states, xs, ys);
#else
  krait::Tensor<float, 2, 48> short_xs{};
  krait::step_streams(block, block_states, short_xs, ys);
#endif
}
