// d_state of the block is 0, so its recurrence has no state.
// expect: d_state, the number of states of each channel, must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .d_state = 1});
#else
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .d_state = 0});
#endif

using Mine = krait::MambaBlock<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
