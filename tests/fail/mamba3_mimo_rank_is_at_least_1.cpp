// mimo_rank of the Mamba3Block is 0.
// expect: mimo_rank, which is 1 for SISO, must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64});
#else
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64, .mimo_rank = 0});
#endif

using Mine = krait::Mamba3Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
