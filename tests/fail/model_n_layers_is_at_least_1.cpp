// n_layers of the model is 0.
// expect: n_layers must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .n_layers = 1});
#else
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .n_layers = 0});
#endif

using Mine = krait::Mamba<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, 5, logits); }
