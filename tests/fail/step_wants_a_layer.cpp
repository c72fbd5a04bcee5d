// The call passes a std::vector of weights instead of a model.
// expect: the first argument, model, must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::step(model, state, 5, logits);
#else
  std::vector<float> weights;
  krait::step(weights, state, 5, logits);
#endif
}
