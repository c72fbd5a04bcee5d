// The call passes one output vector for several streams.
// expect: ys must have one vector of d_out floats for each stream
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, states, tokens, logits, stream_scratch);
#endif
}
