// The call passes one vector for the logits of two tokens.
// expect: ys must be a sequence of float vectors, one for each token
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(model, state, tokens, logits, tape);
#endif
}
