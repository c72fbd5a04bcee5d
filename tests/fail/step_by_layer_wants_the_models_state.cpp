// A StepByLayer is declared with a scratch instead of a state.
// expect: krait: the second argument, state, must be a krait::State<Model> of this model
#include <krait/step_by_layer.hpp>

#include "given.hpp"

void use(int token) {
#ifdef RIGHT
  krait::StepByLayer by_layer{model, state};
#else
  krait::StepByLayer by_layer{model, scratch};
#endif
  by_layer.begin(token);
  while (by_layer.advance()) {
  }
  by_layer.finish(logits);
}
