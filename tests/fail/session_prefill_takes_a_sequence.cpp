// The call passes one token id instead of a sequence.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  logits = session.step(5);
#else
  krait::Session session{model};
  logits = session.prefill(5);
#endif
}
