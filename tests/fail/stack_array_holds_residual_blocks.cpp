// The array in the stack contains MambaBlocks, which cannot work in place.
// expect: krait::Stack<Parts>
// expect: ResidualBlocks
#include "given.hpp"

#ifdef RIGHT
struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, linear_in),
    (std::array<krait::ResidualBlock<block_dims>, 2>, layers),
    (krait::MeanPool<64>, pool),
    (Linear<64, 9>, classifier));
};
#else
struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 64>, linear_in),
    (std::array<Block, 2>, layers),
    (krait::MeanPool<64>, pool),
    (Linear<64, 9>, classifier));
};
#endif

using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 9>& out) {
  krait::step(mine, memory, in, out);
}
