// The block of the stack has 64 outputs, but the pooling layer after it has 128 inputs.
// expect: krait::Stack<Parts>
// expect: d_in of each member must equal d_out of the member before it
// expect: "pool"|112, 111, 111, 108
// expect: got<128>::wants<64>
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
    (Block, mixer),
    (krait::MeanPool<128>, pool),
    (Linear<128, 9>, classifier));
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
