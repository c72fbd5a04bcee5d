// headdim of the Mamba2Block is 0.
// expect: headdim, the number of channels of a head, must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .headdim = 32});
#else
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .headdim = 0});
#endif

using Mine = krait::Mamba2Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
