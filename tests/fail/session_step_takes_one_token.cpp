// A whole sequence in the place of one token.
// expect: token must be one integer
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  logits = session.prefill(std::array{1, 2, 3});
#else
  krait::Session session{model};
  logits = session.step(std::array{1, 2, 3});
#endif
}
