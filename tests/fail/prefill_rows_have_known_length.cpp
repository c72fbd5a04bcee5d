// The vectors of xs are std::vectors, whose length is not known at compile time.
// expect: xs, the tokens, must be a sequence of vectors of d_in floats, with d_in known at compile time
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<Row> xs(5), ys(5);
  krait::prefill(block, block_state, xs, ys);
#else
  std::vector<std::vector<float>> xs(5);
  std::vector<Row> ys(5);
  krait::prefill(block, block_state, xs, ys);
#endif
}
