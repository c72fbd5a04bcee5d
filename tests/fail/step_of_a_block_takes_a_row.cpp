// The block gets a token id, but processes vectors of floats.
// expect: krait::step
// expect: x must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(block, block_state, x, y);
#else
  krait::step(block, block_state, 5, y);
#endif
}
