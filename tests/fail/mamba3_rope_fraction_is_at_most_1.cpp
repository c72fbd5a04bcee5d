// rope_fraction exceeds 1, so more states would be rotated than the block has.
// expect: rope_fraction, the rotated fraction of the states, must not exceed 1
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64, .d_state = 16, .rope_fraction = 1});
#else
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64, .d_state = 16, .rope_fraction = 1.01});
#endif

using Mine = krait::Mamba3Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
