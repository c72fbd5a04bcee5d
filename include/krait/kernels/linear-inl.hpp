// Linear layers over weights in panels: [N / 64][K][64], the last panel as narrow as its outputs allow. A vector covers
// neighbouring outputs and an input is broadcast, so each output is one chain of fused multiply-adds over k ascending,
// for one token or many, on every target; and the weights are read as one sequential stream.
#if defined(KRAIT_KERNELS_LINEAR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_LINEAR_INL_HPP
#undef KRAIT_KERNELS_LINEAR_INL_HPP
#else
#define KRAIT_KERNELS_LINEAR_INL_HPP
#endif

#include "krait/kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {

// A run of rows: token t's stands at data + t * stride.
template <class T>
struct Rows {
  T* data;
  std::size_t stride;
  T* operator[](std::size_t t) const { return data + t * stride; }
  Rows from(std::size_t t) const { return {data + t * stride, stride}; }
  Rows<const T> as_const() const { return {data, stride}; }
};

// y[t][o] = bias[o] + sum over k of x[t][k] w[k][o], for `tokens` rows and `vectors` vectors of outputs in registers.
// w [K][width]; bias null: from 0.
template <std::size_t tokens, std::size_t vectors>
HWY_INLINE void linear_tile(const float* HWY_RESTRICT w, std::size_t width, std::size_t K, const float* bias,
                            Rows<const float> x, Rows<float> y) {
  const Tag tag;
  V sum[tokens][vectors];
  KRAIT_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    const V start = bias ? hn::Load(tag, bias + v * lanes) : hn::Zero(tag);
    KRAIT_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) sum[t][v] = start;
  }
  for (std::size_t k = 0; k < K; ++k, w += width) {
    V in[tokens];
    KRAIT_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) in[t] = hn::Set(tag, x[t][k]);
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      V weight = hn::Load(tag, w + v * lanes);
      if constexpr (tokens > 1) weight = in_register(weight);
      KRAIT_UNROLL
      for (std::size_t t = 0; t < tokens; ++t) sum[t][v] = mul_add_one(in[t], weight, sum[t][v]);
    }
  }
  KRAIT_UNROLL
  for (std::size_t t = 0; t < tokens; ++t) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) hn::StoreU(sum[t][v], tag, y[t] + v * lanes);
  }
}

// A tile's shape: as wide as a panel for one token; for several, what leaves registers for the weights and the input.
inline constexpr std::size_t tile_tokens = lanes == 1 ? 1 : few_registers ? 3 : 4;
inline constexpr std::size_t tile_vectors(std::size_t tokens, std::size_t width) {
  const std::size_t most = tokens == 1 ? (few_registers ? 8 : 16) : few_registers ? 4 : 24 / tokens;
  std::size_t vectors = width / lanes;
  while (vectors > most || width % (vectors * lanes) != 0) --vectors;
  return vectors;
}

// One panel of `width` outputs for n tokens.
template <std::size_t tokens, std::size_t width>
HWY_INLINE void linear_panel(const float* HWY_RESTRICT w, std::size_t K, const float* bias, Rows<const float> x,
                             Rows<float> y, std::size_t n) {
  constexpr std::size_t vectors = tile_vectors(tokens, width);
  std::size_t t = 0;
  for (; t + tokens <= n; t += tokens)
    for (std::size_t o = 0; o < width; o += vectors * lanes)
      linear_tile<tokens, vectors>(w + o, width, K, bias ? bias + o : nullptr, x.from(t), {y[t] + o, y.stride});
  if constexpr (tokens > 1) {
    if (t < n) linear_panel<tokens / 2, width>(w, K, bias, x.from(t), y.from(t), n - t);
  }
}

// The last panel: 16, 32, 48 or 64 outputs wide.
template <std::size_t tokens>
HWY_INLINE void linear_last_panel(const float* HWY_RESTRICT w, std::size_t width, std::size_t K, const float* bias,
                                  Rows<const float> x, Rows<float> y, std::size_t n) {
  static_assert(panel_width == 4 * block_width);
  switch (width / block_width) {
    case 1: return linear_panel<tokens, 1 * block_width>(w, K, bias, x, y, n);
    case 2: return linear_panel<tokens, 2 * block_width>(w, K, bias, x, y, n);
    case 3: return linear_panel<tokens, 3 * block_width>(w, K, bias, x, y, n);
    default: return linear_panel<tokens, 4 * block_width>(w, K, bias, x, y, n);
  }
}

// y[t] = W x[t] + bias for n tokens. Writes `outputs` floats of each row of y: all N (a multiple of 16, the padding
// included) or fewer than 16 less, where y has no room for padding. x and y must not overlap.
template <std::size_t tokens>
HWY_INLINE void linear_rows(const float* HWY_RESTRICT w, std::size_t N, std::size_t K, const float* bias,
                            Rows<const float> x, Rows<float> y, std::size_t outputs, std::size_t n) {
  std::size_t o = 0;
  for (; o + panel_width <= outputs; o += panel_width)
    linear_panel<tokens, panel_width>(w + o * K, K, bias ? bias + o : nullptr, x, {y.data + o, y.stride}, n);
  if (o == outputs) return;
  const float* last_bias = bias ? bias + o : nullptr;
  if (outputs == N) return linear_last_panel<tokens>(w + o * K, N - o, K, last_bias, x, {y.data + o, y.stride}, n);
  alignas(64) float padded_row[panel_width];
  for (std::size_t t = 0; t < n; ++t) {
    linear_last_panel<1>(w + o * K, N - o, K, last_bias, x.from(t), {padded_row, 0}, 1);
    copy_floats(padded_row, y[t] + o, outputs - o);
  }
}

// One row of a matrix in panels: what a tied head's embedding reads.
HWY_INLINE void gather_row(const float* HWY_RESTRICT w, std::size_t N, std::size_t K, std::size_t row,
                           float* HWY_RESTRICT out) {
  const std::size_t panel = row / panel_width * panel_width;
  const std::size_t width = N - panel < panel_width ? N - panel : panel_width;
  const float* from = w + panel * K + (row - panel);
  for (std::size_t k = 0; k < K; ++k) out[k] = from[k * width];
}

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
