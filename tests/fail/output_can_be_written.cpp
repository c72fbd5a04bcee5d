// The output is const.
// expect: the output, y or ys, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  const Logits fixed{};
  krait::step(model, state, 5, fixed);
#endif
}
