// A_floor, the lower limit of -A, is negative.
// expect: A_floor, the lower bound of -A, must not be negative
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64, .A_floor = 0});
#else
inline constexpr auto d = krait::resolve(krait::Mamba3BlockDims{.d_model = 64, .A_floor = -1e-4});
#endif

using Mine = krait::Mamba3Block<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, x, y); }
