// The window has three tokens, but the tape takes two.
// expect: the window xs must not be longer than the tape
// expect: got<3>::at_most<2>
#include "given.hpp"

extern krait::Tensor<float, 3, 256> three_logits;

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(model, state, std::array{5, 6, 7}, three_logits, tape);
#endif
}
