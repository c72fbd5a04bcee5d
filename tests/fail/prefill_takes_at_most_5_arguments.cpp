// The call has one argument too many.
// expect: krait::prefill takes (model, state, xs, ys) or (model, state, xs, ys, scratch)
// expect: got<6>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits, scratch);
#else
  krait::prefill(model, state, std::array{1, 2, 3}, logits, scratch, 16);
#endif
}
