// The dims of the SelectiveStateSpaceModel lack d_inner.
// expect: d_inner must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::SelectiveStateSpaceModel<krait::resolve(krait::SsmDims{.d_inner = 64})>;
#else
using Mine = krait::SelectiveStateSpaceModel<krait::resolve(krait::SsmDims{})>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
