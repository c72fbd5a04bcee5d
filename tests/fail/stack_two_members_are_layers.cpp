// Two members of the stack are numbers.
// expect: krait::Stack<Parts>: every member must be a layer, or a std::array of ResidualBlocks
#include "given.hpp"

#ifdef RIGHT
struct Parts {
  KRAIT_PARAMS(Parts, (Linear<12, 64>, linear_in), (krait::Relu<64>, relu), (Linear<64, 9>, classifier));
};
#else
struct Parts {
  KRAIT_PARAMS(Parts, (Linear<12, 64>, linear_in), (float, gain), (int, offset), (Linear<64, 9>, classifier));
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
