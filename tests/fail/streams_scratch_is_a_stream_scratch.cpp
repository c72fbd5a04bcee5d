// The call passes a Scratch instead of a StreamScratch.
// expect: the fifth argument, scratch, must be a krait::StreamScratch<Model, n>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, states, tokens, both_logits, scratch);
#endif
}
