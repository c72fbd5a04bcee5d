// The program reads lm_head of a model whose head is tied to its embedding.
// expect: no member named
#include "given.hpp"

void use() {
#ifdef RIGHT
  x[0] = model.head().get(0, 0);
#else
  x[0] = model.lm_head.weight.get(0, 0);
#endif
}
