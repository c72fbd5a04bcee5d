// The call passes a sequence of targets for one vector of logits.
// expect: krait::cross_entropy(logits, target, dlogits): target must be one integer
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::cross_entropy(logits, 5, logits);
#else
  krait::cross_entropy(logits, tokens, logits);
#endif
}
