// d_conv of the model is 0, so its convolutions have no taps.
// expect: d_conv, the number of taps of the convolution, must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .d_conv = 1});
#else
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .d_conv = 0});
#endif

using Mine = krait::Mamba<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, 5, logits); }
