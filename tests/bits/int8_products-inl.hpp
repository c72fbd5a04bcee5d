// Computes int8 Linear layers whose integer sums are as large as possible, for one token and for several. Some numbers of
// columns are not multiples of the kernels' groups of columns. All targets must give the same bits, with or without FMA.
#if defined(KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP
#undef KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP
#else
#define KRAIT_TESTS_BITS_INT8_PRODUCTS_INL_HPP
#endif

#include <span>

#include <krait/core/random.hpp>
#include <krait/nn/linear.hpp>
#include <krait/ops/calls-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace bits {
namespace HWY_NAMESPACE {

// Calls use(outputs) with the outputs, krait::Tensor<float, 5, 20>, of five tokens through a layer of K inputs.
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

// Calls use(prefilled, stepped) with the outputs of prefills of 1 to 7 tokens (tiles of every number of tokens) and of single
// steps, which must be equal. Each token's inputs have a different magnitude, so that the outputs change if a kernel uses the
// quantisation step or the sum of another token.
template <std::size_t K, class Use>
HWY_NOINLINE void int8_tiles_of(Use use) {
  using Layer = krait::Linear<krait::LinearDims{.d_in = K, .d_out = 83, .bias = true, .storage = krait::Storage::int8}>;
  static Layer layer;
  static krait::Tensor<float, 7, K> xs;
  static krait::Tensor<float, 7, 83> prefilled, stepped;
  static krait::Scratch<Layer, 7> scratch;
  const krait::Key key = krait::key(K + 1);
  krait::assign(layer.weight, [&](std::size_t row, std::size_t col) { return krait::uniform(key, row * K + col, -1.0f, 1.0f); });
  krait::assign(layer.bias, [&](std::size_t row, std::size_t) { return krait::uniform(key, 100 * K + row, -1.0f, 1.0f); });
  for (std::size_t t = 0; t < 7; ++t)
    for (std::size_t col = 0; col < K; ++col) {
      const auto size = static_cast<float>(1 + 3 * t);
      xs[t][col] = krait::uniform(key, 200 * K + t * K + col, -size, 0.5f * size);
    }
  krait::State<Layer> state{};
  for (std::size_t t = 0; t < 7; ++t) krait::HWY_NAMESPACE::step(layer, state, xs[t], stepped[t]);
  for (std::size_t n = 1; n <= 7; ++n) {
    prefilled = stepped;
    for (std::size_t t = 0; t < n; ++t) prefilled[t] = {};
    krait::HWY_NAMESPACE::prefill(layer, state, std::span(xs.data(), n), std::span(prefilled.data(), n), scratch);
    use(prefilled, stepped);
  }
}
template <class Use>
void int8_tiles(Use use) {
  int8_tiles_of<5>(use);
  int8_tiles_of<77>(use);
}

}  // namespace HWY_NAMESPACE
}  // namespace bits
HWY_AFTER_NAMESPACE();

#endif
