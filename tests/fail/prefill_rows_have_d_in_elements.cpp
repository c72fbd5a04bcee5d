// The vectors of xs have 48 elements, but d_in of the block is 64.
// expect: xs, the tokens, must be a sequence of vectors of d_in floats
// expect: has_vectors_of<64>
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<Row> xs(5), ys(5);
  krait::prefill(block, block_state, xs, ys);
#else
  std::vector<krait::Tensor<float, 48>> xs(5);
  std::vector<Row> ys(5);
  krait::prefill(block, block_state, xs, ys);
#endif
}
