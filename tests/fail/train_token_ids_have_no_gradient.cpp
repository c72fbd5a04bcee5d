// The call requests the gradient of token ids.
// expect: dxs must be krait::no_output, because token ids have no gradient
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::backward(model, tape, both_logits, gradients, krait::no_output);
#else
  krait::backward(model, tape, both_logits, gradients, both_logits);
#endif
}
