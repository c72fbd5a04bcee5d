// The dims of the Linear lack d_out.
// expect: krait::Linear
// expect: d_out must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::Linear<krait::LinearDims{.d_in = 64, .d_out = 8, .bias = true}>;
#else
using Mine = krait::Linear<krait::LinearDims{.d_in = 64, .bias = true}>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
