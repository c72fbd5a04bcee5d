// The call passes a state, which only step and prefill accept.
// expect: krait::forward takes (model, xs)
// expect: got<3>
#include "given.hpp"

void use() {
#ifdef RIGHT
  logits = krait::forward(model, std::array{1, 2, 3})[2];
#else
  krait::forward(model, state, std::array{1, 2, 3});
#endif
}
