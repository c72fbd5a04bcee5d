// The dims of the SelectiveStateSpace lack d_model, the width of its output.
// expect: krait::SelectiveStateSpace
// expect: d_model
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::SelectiveStateSpace<krait::resolve(krait::SsmDims{.d_inner = 64, .d_model = 64})>;
#else
using Mine = krait::SelectiveStateSpace<krait::resolve(krait::SsmDims{.d_inner = 64})>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
