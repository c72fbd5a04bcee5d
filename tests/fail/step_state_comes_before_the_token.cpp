// The token comes before the state.
// expect: the second argument, state, must be a krait::State<Model> of this model
// expect: got_type<int>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, 5, state, logits);
#endif
}
