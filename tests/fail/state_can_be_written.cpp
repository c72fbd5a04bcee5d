// A constant state.
// expect: state must be a krait::State<Model> of this very model
// expect: const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::State<Model> mine{};
  krait::step(model, mine, 5, logits);
#else
  const krait::State<Model> fixed{};
  krait::step(model, fixed, 5, logits);
#endif
}
