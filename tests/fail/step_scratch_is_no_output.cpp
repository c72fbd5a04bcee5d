// The call passes an output instead of the scratch.
// expect: the fifth argument, scratch, must be a krait::Scratch<Model, n>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::step(model, state, 5, logits, logits);
#endif
}
