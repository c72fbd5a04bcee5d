// The call passes a sequence of token ids instead of one token id.
// expect: krait::step
// expect: token must be one integer
// expect: not a sequence
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, std::array{5, 6, 7}, logits);
#endif
}
