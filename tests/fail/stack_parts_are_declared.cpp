// The members of the stack are not declared with KRAIT_PARAMS.
// expect: krait::Stack<Parts>
// expect: KRAIT_PARAMS
#include "given.hpp"

#ifdef RIGHT
struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, linear_in),
    (Linear<64, 9>, classifier));
};
#else
struct Parts {
  Linear<12, 64> linear_in;
  Linear<64, 9> classifier;
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
