// The token ids come before the model, and the result is not used.
// expect: the first argument, model, must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::forward(model, std::array{1, 2, 3});
#else
  krait::forward(std::array{1, 2, 3}, model);
#endif
}
