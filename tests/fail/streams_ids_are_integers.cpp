// Ids that are floats.
// expect: the first argument, ids, must be an array, vector or span of integers, the results of join()
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
