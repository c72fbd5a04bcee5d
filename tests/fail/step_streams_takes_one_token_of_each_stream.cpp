// The call passes a sequence of token ids for each stream instead of one token id.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill_streams(model, states, texts, both_logits, stream_scratch);
#else
  krait::step_streams(model, states, texts, both_logits, stream_scratch);
#endif
}
