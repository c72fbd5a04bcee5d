// The scratch comes before the token.
// expect: token must be one integer
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::step(model, state, scratch, 5, logits);
#endif
}
