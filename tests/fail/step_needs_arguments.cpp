// The call has no arguments.
// expect: krait::step takes (model, state, x, y) or (model, state, x, y, scratch)
// expect: got<0>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step();
#endif
}
