// A state that does not exist after the call.
// expect: the second argument, state, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, krait::State<Model>{}, 5, logits);
#endif
}
