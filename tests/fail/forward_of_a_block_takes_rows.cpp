// The block gets token ids, but processes vectors of floats.
// expect: xs, the tokens, must be a sequence of vectors of d_in floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 3, 64> xs{};
  y = krait::forward(block, xs)[2];
#else
  y = krait::forward(block, std::array{1, 2, 3})[2];
#endif
}
