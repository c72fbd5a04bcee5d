// The state is a temporary, which ends with the call.
// expect: the second argument, state, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, krait::State<Model>{}, 5, logits);
#endif
}
