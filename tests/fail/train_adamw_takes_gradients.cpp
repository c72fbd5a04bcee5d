// The gradients belong to another model.
// expect: the second argument, gradients, must be a krait::Gradients<Model> of this model
#include "given.hpp"

extern Model* trained;

void use() {
#ifdef RIGHT
  krait::adamw(*trained, gradients, moments, {});
#else
  krait::adamw(*trained, block_gradients, moments, {});
#endif
}
