// The layer of the Residual is a stack that pools, which has one output for a whole sequence.
// expect: krait::Residual<L>: L must take vectors of floats and give one output for each vector
#include "given.hpp"

#ifdef RIGHT
struct Parts {
  KRAIT_PARAMS(Parts, (Block, mixer), (krait::RmsNorm<krait::NormDims{.d_model = 64}>, norm));
};
#else
struct Parts {
  KRAIT_PARAMS(Parts, (Block, mixer), (krait::MeanPool<64>, pool));
};
#endif

using Mine = krait::Residual<krait::Stack<Parts>>;
void use(const Mine& mine, krait::State<Mine>& memory, const Row& in, Row& out) { krait::step(mine, memory, in, out); }
