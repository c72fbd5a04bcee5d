// The dims of the block lack d_model.
// expect: d_model must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 64})>;
#else
using Mine = krait::MambaBlock<krait::resolve(krait::BlockDims{})>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
