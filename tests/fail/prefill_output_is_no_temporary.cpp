// The output is a temporary, which ends with the call.
// expect: the output, y or ys, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<Logits> all(3);
  krait::prefill(model, state, std::array{1, 2, 3}, all);
#else
  krait::prefill(model, state, std::array{1, 2, 3}, std::vector<Logits>(3));
#endif
}
