// The layer of the Residual has more outputs than inputs.
// expect: krait::Residual<L>: d_out of L must equal d_in of L
// expect: got<128>::wants<64>
#include "given.hpp"

#ifdef RIGHT
using Mine = krait::Residual<Linear<64, 64>>;
#else
using Mine = krait::Residual<Linear<64, 128>>;
#endif

void use(const Mine& mine, krait::State<Mine>& memory, const Row& in, Row& out) { krait::step(mine, memory, in, out); }
