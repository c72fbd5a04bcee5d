// vocab_size of the Embedding is 0.
// expect: the vocab_size of an Embedding
// expect: must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::Embedding<256, 64>;
#else
using Mine = krait::Embedding<0, 64>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
