// The call lacks the gradients.
// expect: krait::backward takes (model, tape, dys, gradients[, dxs[, dstate]])
// expect: got<3>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::backward(model, tape, both_logits, gradients);
#else
  krait::backward(model, tape, both_logits);
#endif
}
