// The tape is const.
// expect: the tape must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  const krait::Tape<Model, 2>& fixed = tape;
  krait::record(model, state, tokens, both_logits, fixed);
#endif
}
