// The target has another shape than the output.
// expect: krait::squared_error(y, target, dy): target must have the shape of y
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::squared_error(y, x, y);
#else
  krait::squared_error(y, logits, y);
#endif
}
