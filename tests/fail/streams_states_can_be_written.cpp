// The states are const.
// expect: the second argument, states, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  const auto& fixed = states;
  krait::step_streams(model, fixed, tokens, both_logits, stream_scratch);
#endif
}
