// The stack has a block after the pooling layer.
// expect: krait::Stack<Parts>
// expect: a layer with state must come before the pooling layer
#include "given.hpp"

#ifdef RIGHT
struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, linear_in),
    (Block, mixer),
    (krait::MeanPool<64>, pool),
    (Linear<64, 9>, classifier));
};
#else
struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, linear_in),
    (krait::MeanPool<64>, pool),
    (Block, mixer),
    (Linear<64, 9>, classifier));
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
