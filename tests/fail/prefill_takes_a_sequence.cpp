// The call passes one input vector instead of a sequence of vectors.
// expect: xs, the tokens, must be a sequence of vectors of d_in floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 1, 64> xs{}, ys;
  krait::prefill(block, block_state, xs, ys);
#else
  krait::Tensor<float, 1, 64> ys;
  krait::prefill(block, block_state, x, ys);
#endif
}
