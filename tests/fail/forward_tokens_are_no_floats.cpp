// The token ids are floats.
// expect: xs, the token ids, must be an array, vector or span of integers
#include "given.hpp"

void use() {
#ifdef RIGHT
  auto all = krait::forward(model, std::array{1, 2, 3});
  logits = all[2];
#else
  auto all = krait::forward(model, std::array{1.0f, 2.0f, 3.0f});
  logits = all[2];
#endif
}
