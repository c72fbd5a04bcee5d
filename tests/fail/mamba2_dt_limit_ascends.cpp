// The lower limit of delta exceeds the upper limit.
// expect: dt_limit must be {min, max} with 0 <= min <= max
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .dt_limit = {0.001, 0.1}});
#else
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .dt_limit = {0.1, 0.001}});
#endif

using Mine = krait::Mamba2Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
