// The token ids come before the model.
// expect: the first argument, model, must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  logits = krait::forward(model, std::array{1, 2, 3})[2];
#else
  logits = krait::forward(std::array{1, 2, 3}, model)[2];
#endif
}
