// The scratch belongs to another model.
// expect: scratch, must be a krait::Scratch<Model, n> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits, scratch);
#else
  krait::Scratch<Block> other;
  krait::step(model, state, 5, logits, other);
#endif
}
