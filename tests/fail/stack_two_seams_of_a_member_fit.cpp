// A layer of the stack has another width than both of its neighbours.
// expect: d_in of each member must equal d_out of the member before it
// expect: got<20>::wants<64>
#include "given.hpp"

#ifdef RIGHT
inline constexpr std::size_t width = 64;
#else
inline constexpr std::size_t width = 20;
#endif
struct Parts {
  KRAIT_PARAMS(Parts, (Linear<12, 64>, linear_in), (krait::Relu<width>, relu), (Linear<64, 9>, classifier));
};

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, Mine::d_in>& in,
         krait::Tensor<float, Mine::d_out>& out) {
  krait::step(mine, memory, in, out);
}
