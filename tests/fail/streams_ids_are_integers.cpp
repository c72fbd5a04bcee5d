// The ids are floats.
// expect: ids must be a contiguous range of the integers that join() returned
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  streams.step(std::array{0, 1}, tokens, both_logits);
#else
  krait::Streams<Model, 2> streams{model};
  streams.step(std::array{0.0f, 1.0f}, tokens, both_logits);
#endif
}
