// rope_fraction is so small that no pair of states is rotated.
// expect: d_state * rope_fraction must be at least 2
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64, .d_state = 16});
#else
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64, .d_state = 16, .rope_fraction = 0.1});
#endif

using Mine = krait::Mamba3Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
