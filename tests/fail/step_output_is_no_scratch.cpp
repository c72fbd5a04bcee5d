// The call passes the scratch instead of the output.
// expect: the output, y or ys, must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::step(model, state, 5, scratch);
#endif
}
