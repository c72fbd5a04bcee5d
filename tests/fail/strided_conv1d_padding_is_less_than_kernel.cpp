// The padding is as long as the kernel, so the first output would be computed from no frame.
// expect: krait::StridedConv1d<dims>: padding must be at most kernel - stride
// expect: got<8>::at_most<6>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 64, .kernel = 8, .stride = 2, .padding = 6}>;
#else
using Mine = krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 64, .kernel = 8, .stride = 2, .padding = 8}>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
