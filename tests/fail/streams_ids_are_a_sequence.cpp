// The call passes one id instead of a sequence of ids.
// expect: ids must be a contiguous range of the integers that join() returned
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  streams.prefill(std::array{0, 1}, texts, both_logits);
#else
  krait::Streams<Model, 2> streams{model};
  streams.prefill(0, texts, both_logits);
#endif
}
