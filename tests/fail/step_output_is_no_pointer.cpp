// The call passes a pointer to the logits.
// expect: the output, y or ys, must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, 5, logits.data());
#endif
}
