// The capacity of the Streams is 0.
// expect: krait::Streams<Model, capacity>: capacity must be at least 1
// expect: got<0>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  streams.step(tokens, tokens, both_logits);
#else
  krait::Streams<Model, 0> streams{model};
  streams.step(tokens, tokens, both_logits);
#endif
}
