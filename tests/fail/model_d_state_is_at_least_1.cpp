// d_state of the model is 0, so its recurrences have no state.
// expect: d_state, the number of states of each channel, must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .d_state = 1});
#else
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .d_state = 0});
#endif

using Mine = krait::Mamba<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, 5, logits); }
