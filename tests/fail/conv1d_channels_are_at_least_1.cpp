// The dims of the Conv1d lack the number of channels.
// expect: krait::Conv1d
// expect: channels must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::Conv1d<krait::Conv1dDims{.channels = 64}>;
#else
using Mine = krait::Conv1d<krait::Conv1dDims{}>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
