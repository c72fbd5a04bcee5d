// The states are pointers to const states.
// expect: the second argument, states, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  const std::array list{&states[1], &states[0]};
  krait::step_streams(model, list, tokens, both_logits);
#else
  const krait::State<Model>& fixed = state;
  const std::array list{&fixed, &fixed};
  krait::step_streams(model, list, tokens, both_logits);
#endif
}
