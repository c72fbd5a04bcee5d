// A member of the stack is a stack that pools.
// expect: krait::Stack<Parts>
// expect: a member must not be a krait::Mamba, nor a stack that pools
// expect: pools
#include "given.hpp"

struct Inner {
  KRAIT_PARAMS(Inner,
    (Linear<12, 64>, linear_in),
    (krait::MeanPool<64>, pool));
};

#ifdef RIGHT
struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, linear_in),
    (krait::MeanPool<64>, pool),
    (Linear<64, 9>, classifier));
};
#else
struct Parts {
  KRAIT_PARAMS(Parts,
    (krait::Stack<Inner>, inner),
    (Linear<64, 9>, classifier));
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
