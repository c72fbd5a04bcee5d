// The output is a span of const floats.
// expect: the output, y or ys, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, std::span<float, 256>(logits.values));
#else
  krait::step(model, state, 5, std::span<const float, 256>(logits.values));
#endif
}
