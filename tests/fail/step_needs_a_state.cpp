// The call has no argument but the model.
// expect: krait::step takes (model, state, x, y) or (model, state, x, y, scratch)
// expect: got<1>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model);
#endif
}
