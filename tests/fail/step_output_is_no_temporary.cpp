// The output is a temporary, which ends with the call.
// expect: the output, y or ys, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, state, 5, Logits{});
#endif
}
