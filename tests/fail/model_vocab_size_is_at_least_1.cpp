// The dims of the model lack vocab_size.
// expect: vocab_size must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::Mamba<krait::resolve(krait::ModelDims{.vocab_size = 256, .d_model = 64})>;
#else
using Mine = krait::Mamba<krait::resolve(krait::ModelDims{.d_model = 64})>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
