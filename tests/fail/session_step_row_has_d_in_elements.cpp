// The input has 48 elements, but d_in of the block is 64.
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
