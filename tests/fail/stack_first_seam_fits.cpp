// The first member of the stack has 32 outputs, but the second has 64 inputs.
// expect: krait::Stack<Parts>
// expect: d_in of each member must equal d_out of the member before it
// expect: got<64>::wants<32>
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
    (Linear<12, 32>, linear_in),
    (Block, mixer),
    (krait::MeanPool<64>, pool),
    (Linear<64, 9>, classifier));
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
