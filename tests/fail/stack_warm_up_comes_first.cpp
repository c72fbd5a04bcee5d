// The stack has a convolution with a warm_up after another layer.
// expect: krait::Stack<Parts>
// expect: only the first member may have a warm_up
#include "given.hpp"

struct Parts {
#ifdef RIGHT
  static constexpr krait::StridedConv1dDims dims{.channels = 64, .d_out = 9, .kernel = 3, .padding = 2};
#else
  static constexpr krait::StridedConv1dDims dims{.channels = 64, .d_out = 9, .kernel = 3};
#endif
  KRAIT_PARAMS(Parts, (Block, mixer), (krait::StridedConv1d<dims>, conv));
};

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const Row& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
