// The vectors of dys have 64 elements, but d_out of the model is 256.
// expect: every vector of dys must hold d_out elements
// expect: got<64>::wants<256>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::backward(model, tape, both_logits, gradients);
#else
  krait::backward(model, tape, xs, gradients);
#endif
}
