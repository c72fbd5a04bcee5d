// The Mamba2Block has 4 heads and 3 groups.
// expect: the number of heads, d_inner / headdim, must be a multiple of ngroups
// expect: got<4>::multiple_of<3>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .headdim = 32, .ngroups = 2});
#else
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .headdim = 32, .ngroups = 3});
#endif

using Mine = krait::Mamba2Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
