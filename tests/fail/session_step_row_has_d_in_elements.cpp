// A row of 48 into a session on a block of 64.
// expect: x must hold d_in elements
// expect: got<48>::wants<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{block};
  y = session.step(x);
#else
  krait::Session session{block};
  y = session.step(krait::Tensor<float, 48>{});
#endif
}
