// The call requests the gradient of the state, but the tape selects only a norm for training.
// expect: the gradient of the state, dstate, requires a tape whose selection is krait::Everything
#include "given.hpp"

struct Norms {
  static constexpr bool trains(std::string_view name) { return name == "backbone.norm_f.weight"; }
};
extern krait::Tape<Model, 2, Norms> few_tape;
extern krait::Gradients<Model, Norms> few;

void use() {
#ifdef RIGHT
  krait::backward(model, tape, both_logits, gradients, krait::no_output, state);
#else
  krait::backward(model, few_tape, both_logits, few, krait::no_output, state);
#endif
}
