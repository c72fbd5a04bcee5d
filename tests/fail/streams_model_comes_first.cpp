// The states come before the model.
// expect: the first argument, model, must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(states, model, tokens, both_logits, stream_scratch);
#endif
}
