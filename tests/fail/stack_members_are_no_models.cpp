// A member of the stack is a language model.
// expect: krait::Stack<Parts>
// expect: a member must not be a krait::Mamba, nor a stack that pools
// expect: Mamba
#include "given.hpp"

#ifdef RIGHT
struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, linear_in),
    (Linear<64, 9>, classifier));
};
#else
struct Parts {
  KRAIT_PARAMS(Parts,
    (Model, model),
    (Linear<256, 9>, classifier));
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
