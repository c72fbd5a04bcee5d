// The layer of the Residual is an array of layers.
// expect: krait::Residual<L>
// expect: L must be a layer or a Stack
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::Residual<Block>;
#else
using Mine = krait::Residual<std::array<Block, 2>>;
#endif

void use(const Mine& mine, krait::State<Mine>& memory, const Row& in, Row& out) { krait::step(mine, memory, in, out); }
