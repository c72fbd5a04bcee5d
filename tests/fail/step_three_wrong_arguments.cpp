// Three arguments are wrong. The compiler must report only the first.
// expect: the second argument, state, must be a krait::State<Model> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  krait::step(model, 1, 2.0f, 3);
#endif
}
