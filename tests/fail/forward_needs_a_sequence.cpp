// The call has no argument but the model.
// expect: krait::forward takes (model, xs)
// expect: got<1>
#include "given.hpp"

void use() {
#ifdef RIGHT
  logits = krait::forward(model, std::array{1, 2, 3})[2];
#else
  krait::forward(model);
#endif
}
