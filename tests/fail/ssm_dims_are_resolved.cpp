// The dims of the SelectiveStateSpaceModel are not resolved, so they lack dt_rank.
// expect: dt_rank must be at least 1
// expect: krait::resolve(dims)
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::SelectiveStateSpaceModel<krait::resolve(krait::SsmDims{.d_inner = 64})>;
#else
using Mine = krait::SelectiveStateSpaceModel<krait::SsmDims{.d_inner = 64}>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
