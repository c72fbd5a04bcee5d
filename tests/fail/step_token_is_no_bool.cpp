// The token is a bool.
// expect: krait::step
// expect: token must be one integer
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 1, logits);
#else
  krait::step(model, state, true, logits);
#endif
}
