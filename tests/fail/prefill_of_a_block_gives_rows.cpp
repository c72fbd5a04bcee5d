// The call passes one output vector, but the block has an output for each token.
// expect: krait::prefill
// expect: ys must be a sequence of float vectors, one for each token of xs
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 5, 64> xs{}, ys;
  krait::prefill(block, block_state, xs, ys);
#else
  krait::Tensor<float, 5, 64> xs{};
  krait::prefill(block, block_state, xs, y);
#endif
}
