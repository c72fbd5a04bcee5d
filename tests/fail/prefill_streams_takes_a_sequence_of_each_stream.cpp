// One sequence for several streams.
// expect: xs must have one sequence of tokens for each stream; for one token of each stream use krait::step_streams
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill_streams(model, states, texts, both_logits, stream_scratch);
#else
  krait::prefill_streams(model, states, tokens, both_logits, stream_scratch);
#endif
}
