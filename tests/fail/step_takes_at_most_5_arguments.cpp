// The call has one argument too many.
// expect: krait::step takes (model, state, x, y) or (model, state, x, y, scratch)
// expect: got<6>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::step(model, state, 5, logits, scratch, 7);
#endif
}
