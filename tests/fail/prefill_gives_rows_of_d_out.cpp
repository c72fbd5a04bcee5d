// The output vectors have 200 elements, but the model has 256 logits.
// expect: the output must hold d_out elements
// expect: got<200>::wants<256>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 3, 256> all;
  krait::prefill(model, state, std::array{1, 2, 3}, all);
#else
  krait::Tensor<float, 3, 200> all;
  krait::prefill(model, state, std::array{1, 2, 3}, all);
#endif
}
