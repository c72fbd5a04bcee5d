// The tape belongs to another model.
// expect: the tape must be a krait::Tape<Model, tokens> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(model, state, tokens, both_logits, block_tape);
#endif
}
