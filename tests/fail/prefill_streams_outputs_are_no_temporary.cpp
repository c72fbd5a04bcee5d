// The outputs of all tokens are a temporary, which ends with the call.
// expect: the output, y or ys, must not be a temporary
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<std::vector<Logits>> all(2, std::vector<Logits>(3));
  krait::prefill_streams(model, states, texts, all);
#else
  krait::prefill_streams(model, states, texts, std::vector<std::vector<Logits>>(2, std::vector<Logits>(3)));
#endif
}
