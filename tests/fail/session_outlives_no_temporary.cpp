// A session on a model that is gone after this line.
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
