// The dims of the StridedConv1d lack the number of channels.
// expect: krait::StridedConv1d<dims>: channels must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 64, .kernel = 8}>;
#else
using Mine = krait::StridedConv1d<krait::StridedConv1dDims{.d_out = 64, .kernel = 8}>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
