// The call passes the scratch instead of the state.
// expect: state, must be a krait::State<Model> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::step(model, scratch, 5, logits, scratch);
#endif
}
