// The chunk size of the Streams is 0.
// expect: krait::Streams<Model, capacity, chunk>: chunk must be at least 1
// expect: got<0>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2, 1> streams{model};
  streams.step(tokens, tokens, both_logits);
#else
  krait::Streams<Model, 2, 0> streams{model};
  streams.step(tokens, tokens, both_logits);
#endif
}
