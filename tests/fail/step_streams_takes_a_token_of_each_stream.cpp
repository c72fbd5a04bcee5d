// The call passes one token id for several streams.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, states, 5, both_logits, stream_scratch);
#endif
}
