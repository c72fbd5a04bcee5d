// The outputs are a temporary, which ends with the call.
// expect: the output, y or ys, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  streams.step(std::array{0, 1}, tokens, both_logits);
#else
  krait::Streams<Model, 2> streams{model};
  streams.step(std::array{0, 1}, tokens, std::vector<Logits>(2));
#endif
}
