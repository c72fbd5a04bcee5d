// The vectors of xs have 128 elements, but d_in of the block is 64.
// expect: xs, the tokens, must be a sequence of vectors of d_in floats
// expect: has_vectors_of<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 3, 64> xs{};
  y = krait::forward(block, xs)[2];
#else
  krait::Tensor<float, 3, 128> xs{};
  y = krait::forward(block, xs)[2];
#endif
}
