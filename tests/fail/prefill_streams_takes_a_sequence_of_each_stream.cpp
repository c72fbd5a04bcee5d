// The call passes one sequence of token ids for several streams.
// expect: each stream needs a sequence of tokens; for one token, use krait::step_streams
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill_streams(model, states, texts, both_logits, stream_scratch);
#else
  krait::prefill_streams(model, states, tokens, both_logits, stream_scratch);
#endif
}
