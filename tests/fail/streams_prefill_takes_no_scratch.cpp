// The call passes a scratch, which the Streams already contain.
// expect: krait::Streams::prefill takes (ids, xs, ys[, executor])
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  krait::OneThread one;
  streams.prefill(std::array{0, 1}, texts, both_logits, one);
#else
  krait::Streams<Model, 2> streams{model};
  krait::OneThread one;
  streams.prefill(std::array{0, 1}, texts, both_logits, stream_scratch, one);
#endif
}
