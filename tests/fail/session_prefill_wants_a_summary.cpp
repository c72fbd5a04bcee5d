// The session's model is a block, so Session::prefill cannot return the last output alone.
// expect: prefill
// expect: must be a language model or a stack that pools
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Session session{block};
  y = session.step(x);
#else
  krait::Session session{block};
  y = session.prefill(krait::Tensor<float, 3, 64>{});
#endif
}
