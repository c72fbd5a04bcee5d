// The vectors of xs have 128 elements, but d_in of the block is 64.
// expect: every vector of xs must hold d_in elements
// expect: got<128>::wants<64>
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
