// max_tokens of the PositionalEmbedding is 0.
// expect: the max_tokens of a PositionalEmbedding
// expect: must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::PositionalEmbedding<100, 64>;
#else
using Mine = krait::PositionalEmbedding<0, 64>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
