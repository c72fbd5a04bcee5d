// The call has one argument too many.
// expect: krait::prefill_streams takes (model, states, xs, ys[, scratch[, executor]])
// expect: got<7>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::OneThread one;
  krait::prefill_streams(model, states, texts, both_logits, stream_scratch, one);
#else
  krait::OneThread one;
  krait::prefill_streams(model, states, texts, both_logits, stream_scratch, one, 7);
#endif
}
