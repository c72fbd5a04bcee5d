// The program uses step as if it returned the output.
// expect: krait::step takes (model, state, x, y) or (model, state, x, y, scratch)
// expect: got<3>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  logits = krait::step(model, state, 5);
#endif
}
