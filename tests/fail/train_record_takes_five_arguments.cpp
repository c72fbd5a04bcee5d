// The call lacks the tape.
// expect: krait::record takes (model, state, xs, ys, tape)
// expect: got<4>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(model, state, tokens, both_logits);
#endif
}
