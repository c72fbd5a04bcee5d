// The output comes before the token ids.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(model, state, logits, std::array{1, 2, 3});
#endif
}
