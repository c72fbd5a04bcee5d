// The output is a number.
// expect: the output, y or ys, must hold floats
// expect: argument<int>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, 1, 2);
#endif
}
