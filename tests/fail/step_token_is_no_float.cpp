// A float as a token.
// expect: krait::step
// expect: token must be a whole number
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, 5.0f, logits);
#endif
}
