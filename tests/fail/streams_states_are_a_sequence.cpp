// The call passes one state for several streams.
// expect: states must be a contiguous range of krait::State<Model>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, state, tokens, both_logits, stream_scratch);
#endif
}
