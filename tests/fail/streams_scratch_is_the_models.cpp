// The scratch belongs to another model.
// expect: scratch, must be a krait::StreamScratch<Model, n> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::StreamScratch<Block, 2> other;
  krait::step_streams(model, states, tokens, both_logits, other);
#endif
}
