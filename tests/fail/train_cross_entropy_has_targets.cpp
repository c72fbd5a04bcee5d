// The call passes one target for the logits of two tokens.
// expect: targets must be a sequence of integers, one for each vector of logits
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::cross_entropy(both_logits, tokens, both_logits);
#else
  krait::cross_entropy(both_logits, 5, both_logits);
#endif
}
