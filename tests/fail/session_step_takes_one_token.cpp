// The call passes a sequence instead of one token id.
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
