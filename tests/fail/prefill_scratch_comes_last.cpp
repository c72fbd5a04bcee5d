// The scratch comes before the token ids.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits, scratch);
#else
  krait::prefill(model, state, scratch, std::array{1, 2, 3}, logits);
#endif
}
