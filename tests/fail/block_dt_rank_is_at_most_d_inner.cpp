// dt_rank of the block exceeds d_inner.
// expect: dt_rank must not exceed d_inner
// expect: got<200>::at_most<128>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .dt_rank = 128});
#else
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .dt_rank = 200});
#endif

using Mine = krait::MambaBlock<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
