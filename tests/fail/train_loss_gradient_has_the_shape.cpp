// The gradient of one vector for two.
// expect: the last argument of a loss, the gradient, must have the shape of the first
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::cross_entropy(both_logits, tokens, both_logits);
#else
  krait::cross_entropy(both_logits, tokens, logits);
#endif
}
