// d_conv of the block is 0, so its convolution has no taps.
// expect: d_conv, the number of taps of the convolution, must be at least 1
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .d_conv = 1});
#else
inline constexpr auto d = krait::resolve(krait::BlockDims{.d_model = 64, .d_conv = 0});
#endif

using Mine = krait::MambaBlock<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
