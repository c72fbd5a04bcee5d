// The call lacks the outputs.
// expect: krait::step_streams takes (model, states, xs, ys[, scratch[, executor]])
// expect: got<3>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, states, tokens);
#endif
}
