// The output has 48 elements, but d_out of the block is 64.
// expect: the output must hold d_out elements
// expect: got<48>::wants<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(block, block_state, x, y);
#else
  krait::Tensor<float, 48> narrow{};
  krait::step(block, block_state, x, narrow);
#endif
}
