// The call passes one token id instead of a sequence.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  logits = krait::forward(model, std::array{1, 2, 3})[2];
#else
  logits = krait::forward(model, 5)[0];
#endif
}
