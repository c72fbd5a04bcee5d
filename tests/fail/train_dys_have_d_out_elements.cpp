// The vectors of dys have 64 elements, but d_out of the model is 256.
// expect: dys must be a sequence of vectors of d_out floats, one for each token
// expect: has_vectors_of<256>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::backward(model, tape, both_logits, gradients);
#else
  krait::backward(model, tape, xs, gradients);
#endif
}
