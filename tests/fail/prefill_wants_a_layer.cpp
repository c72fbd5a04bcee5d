// The state comes before the model.
// expect: the first argument, model, must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(state, model, std::array{1, 2, 3}, logits);
#endif
}
