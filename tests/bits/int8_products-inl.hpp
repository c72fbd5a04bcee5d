// Linear layers with int8 weights where their sums are largest and where columns fill groups in every way, for one token
// and for several. All targets give the same bits, with fused multiply-add or without.
#if defined(KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP
#undef KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP
#else
#define KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP
#endif

#include <krait/core/random.hpp>
#include <krait/nn/linear.hpp>
#include <krait/ops/verbs-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace bits {
namespace HWY_NAMESPACE {

// use(rows), krait::Tensor<float, 5, 20>, for layers of K inputs.
template <std::size_t K, class Use>
HWY_NOINLINE void int8_products_of(Use use) {
  static krait::Linear<krait::LinearDims{.d_in = K, .d_out = 20, .storage = krait::Storage::int8}> layer;
  static krait::Tensor<float, 5, K> xs;
  const krait::Key key = krait::key(K);
  krait::assign(layer.weight, [&](std::size_t row, std::size_t col) {
    switch (row % 4) {
      case 0: return 1.0f;
      case 1: return row < 10 ? -1.0f : 1.0f;
      case 2: return col % 2 == 0 ? 1.0f : -1.0f;
      default: return krait::uniform(key, row * K + col, -1.0f, 1.0f);
    }
  });
  for (std::size_t col = 0; col < K; ++col) {
    xs[0][col] = 1.0f;
    xs[1][col] = -1.0f;
    xs[2][col] = col % 2 == 0 ? -1.0f : 1.0f;
    xs[3][col] = krait::uniform(key, 100 * K + col, -3.0f, 3.0f);
    xs[4][col] = col + 1 == K ? 1e30f : 0.0f;
  }
  use(krait::HWY_NAMESPACE::forward(layer, xs));
}
template <class Use>
void int8_products(Use use) {
  int8_products_of<3>(use);
  int8_products_of<16>(use);
  int8_products_of<600>(use);
}

}  // namespace HWY_NAMESPACE
}  // namespace bits
HWY_AFTER_NAMESPACE();

#endif
