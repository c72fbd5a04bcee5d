// The call passes a number of threads instead of an executor.
// expect: executor must have size()
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::OneThread one;
  krait::step_streams(model, states, tokens, both_logits, stream_scratch, one);
#else
  krait::step_streams(model, states, tokens, both_logits, stream_scratch, 2);
#endif
}
