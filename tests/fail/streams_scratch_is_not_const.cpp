// The scratch is const.
// expect: the fifth argument, scratch, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  const auto& fixed = stream_scratch;
  krait::step_streams(model, states, tokens, both_logits, fixed);
#endif
}
