// The dims of the Mamba2Block are not resolved, so they lack d_inner.
// expect: d_inner must be at least 1
// expect: krait::resolve(dims)
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64});
#else
inline constexpr auto d = krait::Mamba2BlockDims{.d_model = 64};
#endif

using Mine = krait::Mamba2Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
