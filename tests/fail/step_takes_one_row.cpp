// The call passes a sequence of vectors instead of one vector.
// expect: krait::step
// expect: x must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 5, 64> xs{};
  krait::step(block, block_state, xs[0], y);
#else
  krait::Tensor<float, 5, 64> xs{};
  krait::step(block, block_state, xs, y);
#endif
}
