// The vectors of dxs have 256 elements, but d_in of the block is 64.
// expect: every vector of dxs must hold d_in elements
// expect: got<256>::wants<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::backward(block, block_tape, ys, block_gradients, xs);
#else
  krait::backward(block, block_tape, ys, block_gradients, both_logits);
#endif
}
