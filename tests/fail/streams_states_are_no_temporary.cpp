// The states are a temporary, which ends with the call.
// expect: the second argument, states, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step_streams(model, std::span(states), tokens, both_logits, stream_scratch);
#else
  krait::step_streams(model, std::array<krait::State<Model>, 2>{}, tokens, both_logits, stream_scratch);
#endif
}
