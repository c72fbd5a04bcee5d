// The state is const.
// expect: the second argument, state, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  const krait::State<Model> fixed{};
  krait::prefill(model, fixed, std::array{1, 2, 3}, logits);
#endif
}
