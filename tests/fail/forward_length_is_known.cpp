// The sequence is a std::vector, whose length is not known at compile time.
// expect: krait::forward
// expect: a length known at compile time
// expect: krait::prefill
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<int> tokens(3);
  krait::prefill(model, state, tokens, logits);
#else
  std::vector<int> tokens(3);
  krait::forward(model, tokens);
#endif
}
