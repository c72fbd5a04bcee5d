// StepByLayer::begin is given a vector instead of a token id.
// expect: token must be one integer
#include <krait/step_by_layer.hpp>

#include "given.hpp"

void use(int token) {
  krait::StepByLayer by_layer{model, state};
#ifdef RIGHT
  by_layer.begin(token);
#else
  by_layer.begin(x);
#endif
  while (by_layer.advance()) {
  }
  by_layer.finish(logits);
}
