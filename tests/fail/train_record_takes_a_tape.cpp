// The call passes a scratch instead of the tape.
// expect: the tape must be a krait::Tape<Model, tokens>, as in record(model, state, xs, ys, tape)
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(model, state, tokens, both_logits, scratch);
#endif
}
