// A float as a token.
// expect: krait::step
// expect: token must be one integer
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, 5.0f, logits);
#endif
}
