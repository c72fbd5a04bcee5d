// The input has 48 elements, but d_in of the block is 64.
// expect: krait::step
// expect: x must hold d_in elements
// expect: got<48>::wants<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(block, block_state, x, y);
#else
  krait::Tensor<float, 48> narrow{};
  krait::step(block, block_state, narrow, y);
#endif
}
