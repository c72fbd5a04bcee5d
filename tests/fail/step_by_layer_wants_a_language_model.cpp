// A StepByLayer is declared for a stack.
// expect: krait::StepByLayer
// expect: must be a krait::Mamba
// expect: krait::step for each member of a stack
#include <krait/step_by_layer.hpp>

#include "given.hpp"

#ifdef RIGHT
void use(int token) {
  krait::StepByLayer by_layer{model, state};
  by_layer.begin(token);
  while (by_layer.advance()) {
  }
  by_layer.finish(logits);
}
#else
void use() {
  krait::StepByLayer by_layer{pooling, pooling_states[0]};
  by_layer.begin(x);
  while (by_layer.advance()) {
  }
  by_layer.finish(y);
}
#endif
