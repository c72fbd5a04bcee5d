// One id, as for one stream.
// expect: the first argument, ids, must be an array, vector or span of integers, the results of join()
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
