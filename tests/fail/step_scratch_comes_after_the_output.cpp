// The scratch comes before the output.
// expect: the output, y or ys, must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::step(model, state, 5, scratch, logits);
#endif
}
