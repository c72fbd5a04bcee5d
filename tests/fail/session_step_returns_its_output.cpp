// The call passes an object for the output, which Session::step returns instead.
// expect: krait::Session::step takes (x), or (x, krait::no_output), and returns the output
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  logits = session.step(5);
#else
  krait::Session session{model};
  session.step(5, logits);
#endif
}
