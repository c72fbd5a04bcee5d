// The call passes one output vector for several streams.
// expect: ys must have one vector of d_out floats for each stream
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill_streams(model, states, texts, both_logits, stream_scratch);
#else
  krait::prefill_streams(model, states, texts, logits, stream_scratch);
#endif
}
