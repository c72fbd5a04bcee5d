// The program sets the bias of a layer that has no bias.
// expect: no member named
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Linear<krait::LinearDims{.d_in = 64, .d_out = 8, .bias = true}> layer{};
  layer.bias.set(0, 0, 1.0f);
#else
  krait::Linear<krait::LinearDims{.d_in = 64, .d_out = 8}> layer{};
  layer.bias.set(0, 0, 1.0f);
#endif
}
