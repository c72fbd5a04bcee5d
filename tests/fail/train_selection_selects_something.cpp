// The tape's selection contains no parameter.
// expect: the tape's selection must select at least one parameter of the model
#include "given.hpp"

struct Nothing {
  static constexpr bool trains(std::string_view) { return false; }
};
extern krait::Tape<Model, 2, Nothing> idle;

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(model, state, tokens, both_logits, idle);
#endif
}
