// The dims of the block have both d_inner and `expand`.
// expect: expand must be 0 if d_inner is given
// expect: not both
// expect: got<2>::wants<0>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .d_inner = 96});
#else
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .expand = 2, .d_inner = 96});
#endif

using Mine = krait::MambaBlock<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
