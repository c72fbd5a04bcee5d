// The call passes one vector for the gradient of two vectors of logits.
// expect: the last argument, the gradient, must have the first argument's shape
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::cross_entropy(both_logits, tokens, both_logits);
#else
  krait::cross_entropy(both_logits, tokens, logits);
#endif
}
