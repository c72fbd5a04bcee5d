// headdim of the Mamba2Block is 48, which does not divide d_inner, 128.
// expect: d_inner must be a multiple of headdim
// expect: got<128>::multiple_of<48>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .headdim = 32});
#else
inline constexpr auto d = krait::resolve(krait::Mamba2BlockDims{.d_model = 64, .headdim = 48});
#endif

using Mine = krait::Mamba2Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
