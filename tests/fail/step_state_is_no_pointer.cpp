// The call passes a pointer to the state.
// expect: the second argument, state, must be a krait::State<Model> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, &state, 5, logits);
#endif
}
