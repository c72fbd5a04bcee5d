// The call passes an object for the output, which Session::prefill returns instead.
// expect: krait::Session::prefill takes (xs)
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  logits = session.prefill(std::array{1, 2, 3});
#else
  krait::Session session{model};
  session.prefill(std::array{1, 2, 3}, logits);
#endif
}
