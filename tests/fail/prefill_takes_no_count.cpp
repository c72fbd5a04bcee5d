// The call passes a pointer and a number of tokens, as in C.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  const int tokens[]{1, 2, 3};
  krait::prefill(model, state, tokens, logits);
#else
  const int tokens[]{1, 2, 3};
  krait::prefill(model, state, &tokens[0], 3, logits);
#endif
}
