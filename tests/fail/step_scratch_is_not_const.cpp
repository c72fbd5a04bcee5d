// The scratch is const.
// expect: the fifth argument, scratch, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  const krait::Scratch<Model>& fixed = scratch;
  krait::step(model, state, 5, logits, fixed);
#endif
}
