// The call passes the executor instead of the scratch.
// expect: the fifth argument, scratch, must be a krait::StreamScratch<Model, n>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::OneThread one;
  krait::step_streams(model, states, tokens, both_logits, stream_scratch, one);
#else
  krait::OneThread one;
  krait::step_streams(model, states, tokens, both_logits, one);
#endif
}
