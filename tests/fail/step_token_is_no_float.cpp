// The token is a float.
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
