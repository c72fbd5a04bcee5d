// The call passes an array for the outputs, which `forward` returns instead.
// expect: krait::forward takes (model, xs)
// expect: got<3>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Tensor<float, 3, 256> all;
  all = krait::forward(model, std::array{1, 2, 3});
#else
  krait::Tensor<float, 3, 256> all;
  krait::forward(model, std::array{1, 2, 3}, all);
#endif
}
