// The state is a temporary, which ends with the call.
// expect: the second argument, state, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(model, krait::State<Model>{}, std::array{1, 2, 3}, logits);
#endif
}
