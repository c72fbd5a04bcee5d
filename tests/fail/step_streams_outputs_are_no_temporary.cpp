// The outputs are a temporary, which ends with the call.
// expect: the output, y or ys, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, states, tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, states, tokens, std::vector<Logits>(2), stream_scratch);
#endif
}
