// The call passes one token id instead of a sequence.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{5}, logits);
#else
  krait::prefill(model, state, 5, logits);
#endif
}
