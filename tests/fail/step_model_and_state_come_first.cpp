// The input and output come before the model and the state.
// expect: the first argument, model, must be a layer or a model
// expect: argument<int>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(5, logits, model, state);
#endif
}
