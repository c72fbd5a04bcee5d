// The dims of the block have `expand`, but are not resolved, so d_inner is 0.
// expect: d_inner must be at least 1
// expect: krait::resolve(dims)
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .expand = 2});
#else
inline constexpr auto d = krait::BlockDims{.d_model = 64, .expand = 2};
#endif

using Mine = krait::MambaBlock<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
