// The token ids come before the state.
// expect: the second argument, state, must be a krait::State<Model> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(model, std::array{1, 2, 3}, state, logits);
#endif
}
