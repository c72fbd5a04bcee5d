// The vectors of dxs have 256 elements, but d_in of the block is 64.
// expect: dxs must be a sequence of vectors of d_in floats, one for each token
// expect: has_vectors_of<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::backward(block, block_tape, ys, block_gradients, xs);
#else
  krait::backward(block, block_tape, ys, block_gradients, both_logits);
#endif
}
