// The output has 512 elements, but the model has 256 logits.
// expect: the output must hold d_out elements
// expect: vocab_size
// expect: got<512>::wants<256>
#include "given.hpp"

void use() {
#ifdef RIGHT
  float row[256];
  krait::step(model, state, 5, row);
#else
  float row[512];
  krait::step(model, state, 5, row);
#endif
}
