// d_model of the pooling layer is 0.
// expect: d_model of an activation layer or a pooling layer must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::MeanPool<64>;
#else
using Mine = krait::MeanPool<0>;
#endif

extern Mine mine;
std::size_t bytes() { return sizeof mine + krait::state_bytes<Mine> + krait::scratch_bytes<Mine, 4>; }
