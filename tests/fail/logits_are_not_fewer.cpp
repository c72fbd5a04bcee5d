// The output has 200 elements, but the model has 256 logits.
// expect: the output must hold d_out elements
// expect: vocab_size
// expect: got<200>::wants<256>
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::array<float, 256> row{};
  krait::step(model, state, 5, row);
#else
  std::array<float, 200> row{};
  krait::step(model, state, 5, row);
#endif
}
