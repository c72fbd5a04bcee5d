// The outputs are const.
// expect: the output, y or ys, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  const auto& fixed = both_logits;
  krait::step_streams(model, states, tokens, fixed, stream_scratch);
#endif
}
