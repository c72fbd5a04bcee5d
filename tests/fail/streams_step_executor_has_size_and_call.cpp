// The call passes a scratch instead of an executor.
// expect: executor must have size()
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  krait::OneThread one;
  streams.step(std::array{0, 1}, tokens, both_logits, one);
#else
  krait::Streams<Model, 2> streams{model};
  streams.step(std::array{0, 1}, tokens, both_logits, stream_scratch);
#endif
}
