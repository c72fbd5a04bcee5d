// The scratch of a prefill for a step.
// expect: krait::step
// expect: scratch must be a krait::Scratch<Model>
// expect: got<16>::wants<1>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::Scratch<Model, 16> room;
  krait::step(model, state, 5, logits, room);
#endif
}
