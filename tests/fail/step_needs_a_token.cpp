// The call lacks the token and the output.
// expect: krait::step takes (model, state, x, y) or (model, state, x, y, scratch)
// expect: got<2>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state);
#endif
}
