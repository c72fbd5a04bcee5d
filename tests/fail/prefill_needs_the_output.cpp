// The call lacks the output.
// expect: krait::prefill takes (model, state, xs, ys) or (model, state, xs, ys, scratch)
// expect: got<3>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(model, state, std::array{1, 2, 3});
#endif
}
