// The call of Session::step has the arguments of krait::step.
// expect: krait::Session::step takes (x), or (x, krait::no_output), and returns the output
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  logits = session.step(5);
#else
  krait::Session session{model};
  session.step(model, state, 5, logits);
#endif
}
