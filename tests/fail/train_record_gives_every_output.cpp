// One vector for the logits of two tokens.
// expect: ys and dys must be a sequence of float vectors, one for each token of the window
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(model, state, tokens, logits, tape);
#endif
}
