// The call passes the number of tokens instead of the output.
// expect: the output, y or ys, must hold floats
// expect: argument<int>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(model, state, std::array{1, 2, 3}, 3);
#endif
}
