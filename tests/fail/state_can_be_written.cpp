// The state is const.
// expect: state, must not be const
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
