// The output comes before the token.
// expect: token must be one integer
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, logits, 5);
#endif
}
