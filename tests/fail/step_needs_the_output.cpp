// The call lacks the output.
// expect: krait::step takes (model, state, x, y) or (model, state, x, y, scratch)
// expect: got<3>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, 5);
#endif
}
