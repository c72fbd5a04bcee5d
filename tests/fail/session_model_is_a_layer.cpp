// The session is constructed from a state instead of a model.
// expect: krait::Session session{model}: model must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  logits = session.step(5);
#else
  krait::Session session{state};
  logits = session.step(5);
#endif
}
