// The session restores the state of another model.
// expect: restore|conver
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{model};
  session.restore(state);
#else
  krait::Session session{model};
  session.restore(block_state);
#endif
}
