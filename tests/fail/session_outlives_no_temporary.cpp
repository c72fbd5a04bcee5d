// The session refers to a temporary model, which does not outlive the declaration.
// expect: deleted
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  logits = session.step(5);
#else
  krait::Session session{krait::init<Model>(krait::key(0))};
  logits = session.step(5);
#endif
}
