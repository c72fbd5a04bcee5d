// The state comes before the model.
// expect: the first argument, model, must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(state, model, 5, logits);
#endif
}
