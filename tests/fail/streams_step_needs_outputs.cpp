// The call lacks the outputs.
// expect: krait::Streams::step takes (ids, xs, ys[, executor])
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  streams.step(std::array{0, 1}, tokens, both_logits);
#else
  krait::Streams<Model, 2> streams{model};
  streams.step(std::array{0, 1}, tokens);
#endif
}
