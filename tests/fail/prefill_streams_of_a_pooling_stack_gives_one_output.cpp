// The call passes an output vector for each token, but a stack that pools has only one output.
// expect: ys must have one vector for each stream, because the model pools
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::array<krait::Tensor<float, 3, 64>, 2> in{};
  krait::prefill_streams(pooling, pooling_states, in, ys);
#else
  std::array<krait::Tensor<float, 3, 64>, 2> in{}, out;
  krait::prefill_streams(pooling, pooling_states, in, out);
#endif
}
