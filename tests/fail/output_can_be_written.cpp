// A constant as the output.
// expect: the output must be a row of floats
// expect: can be written
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  const Logits fixed{};
  krait::step(model, state, 5, fixed);
#endif
}
