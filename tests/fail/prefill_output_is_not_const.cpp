// The sequence of outputs is const.
// expect: the output, y or ys, must not be const
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 3, 256> all;
  krait::prefill(model, state, std::array{1, 2, 3}, all);
#else
  const krait::Tensor<float, 3, 256> all{};
  krait::prefill(model, state, std::array{1, 2, 3}, all);
#endif
}
