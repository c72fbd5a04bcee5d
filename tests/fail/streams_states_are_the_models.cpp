// The states belong to another model.
// expect: states must be a contiguous range of krait::State<Model> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, block_states, tokens, both_logits, stream_scratch);
#endif
}
