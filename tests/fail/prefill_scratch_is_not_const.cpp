// The scratch is const.
// expect: the fifth argument, scratch, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits, scratch);
#else
  const krait::Scratch<Model>& fixed = scratch;
  krait::prefill(model, state, std::array{1, 2, 3}, logits, fixed);
#endif
}
