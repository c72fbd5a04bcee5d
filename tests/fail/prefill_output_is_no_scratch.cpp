// The scratch comes before the output.
// expect: the output, y or ys, must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits, scratch);
#else
  krait::prefill(model, state, std::array{1, 2, 3}, scratch, logits);
#endif
}
