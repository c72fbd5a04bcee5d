// The gradients belong to another model.
// expect: gradients must be a krait::Gradients<Model, Trained> with the same Trained as the tape
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::backward(model, tape, both_logits, gradients);
#else
  krait::backward(model, tape, both_logits, block_gradients);
#endif
}
