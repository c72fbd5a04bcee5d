// The call passes one output vector for each stream, but a block has an output for each token.
// expect: ys must have one sequence for each stream, with one vector for each token
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::array<krait::Tensor<float, 3, 64>, 2> in{}, out;
  krait::prefill_streams(block, block_states, in, out);
#else
  std::array<krait::Tensor<float, 3, 64>, 2> in{};
  krait::prefill_streams(block, block_states, in, ys);
#endif
}
