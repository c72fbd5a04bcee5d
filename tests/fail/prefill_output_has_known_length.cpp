// The call passes one std::vector<float> for the logits of all tokens.
// expect: the output, y or ys, must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<Logits> all(3);
  krait::prefill(model, state, std::array{1, 2, 3}, all);
#else
  std::vector<float> all(3 * 256);
  krait::prefill(model, state, std::array{1, 2, 3}, all);
#endif
}
