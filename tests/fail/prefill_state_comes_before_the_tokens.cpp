// Tokens and state in each other's place.
// expect: the second argument, state, must be a krait::State<Model> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(model, std::array{1, 2, 3}, state, logits);
#endif
}
