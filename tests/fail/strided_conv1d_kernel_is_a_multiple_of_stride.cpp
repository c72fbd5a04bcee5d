// The kernel, 7 frames, is not a multiple of the stride, 2.
// expect: krait::StridedConv1d<dims>: kernel must be a multiple of stride
// expect: got<7>::multiple_of<2>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 64, .kernel = 8, .stride = 2}>;
#else
using Mine = krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 64, .kernel = 7, .stride = 2}>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
