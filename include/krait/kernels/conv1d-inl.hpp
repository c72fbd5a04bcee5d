// Computes the causal depthwise convolution over a run of tokens, and the activation function that follows it.
#if defined(KRAIT_KERNELS_CONV1D_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_CONV1D_INL_HPP
#undef KRAIT_KERNELS_CONV1D_INL_HPP
#else
#define KRAIT_KERNELS_CONV1D_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"
#include "krait/kernels/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// NoActivation and Silu are the activation functions that a convolution can apply to its outputs: none, or SiLU.
struct NoActivation {
  HWY_INLINE V operator()(V v) const { return v; }
#ifdef KRAIT_CORTEX_M_FPU
  HWY_INLINE void row(float*, std::size_t) const {}
#endif
};
struct Silu {
  HWY_INLINE V operator()(V v) const { return silu(v); }
#ifdef KRAIT_CORTEX_M_FPU
  HWY_INLINE void row(float* x, std::size_t channels) const { silu_in_fours<false>(silu_table, x, x, channels); }
#endif
};

// The largest d_conv for which the convolution keeps its window of past inputs in registers. A longer window stays in memory,
// so that the stack frame does not grow with d_conv.
inline constexpr std::size_t most_taps_held = 8;

// Computes the causal depthwise convolution of n tokens in place, and updates the window of past inputs. For each channel, with
// the activation function `after`:
//   y[t] = after(bias + weight[0] x[t - d_conv + 1] + ... + weight[d_conv - 1] x[t])     oldest input first
//   x       [n, channels], overwritten with y; channels is a multiple of 16
//   weight  [channels / 16][d_conv][16]
//   bias    [channels]; null means zero
//   window  [channels / 16][d_conv - 1][16]: the d_conv - 1 inputs before x[0], oldest first
template <std::size_t d_conv, class After>
HWY_INLINE void conv1d_rows(const float* HWY_RESTRICT weight, const float* bias, float* HWY_RESTRICT window,
                            TokenSpan<float> x, std::size_t channels, std::size_t n, After after) {
#ifdef KRAIT_CORTEX_M_FPU
  for (std::size_t t = 0; t < n; ++t) {
    for (std::size_t c = 0; c < channels; c += 4) {
      const std::size_t strip = c / strip_width * strip_width;
      convolve_four(weight + strip * d_conv + c % strip_width, bias ? bias + c : no_bias,
                    window + strip * (d_conv - 1) + c % strip_width, x[t] + c, d_conv - 1);
    }
    after.row(x[t], channels);
  }
#else
  const Tag tag;
  for (std::size_t c = 0; c < channels; c += lanes) {
    const std::size_t strip = c / strip_width * strip_width;
    const float* taps = weight + strip * d_conv + c % strip_width;
    float* past = d_conv > 1 ? window + strip * (d_conv - 1) + c % strip_width : nullptr;
    const V start = bias ? load_vector(bias + c) : zero_start();
    if constexpr (d_conv > most_taps_held) {
      for (std::size_t t = 0; t < n; ++t) {
        V sum = start;
        for (std::size_t j = 0; j + 1 < d_conv; ++j) {
          const V in = load_vector(past + j * strip_width);
          if (j > 0) store_vector(in, past + (j - 1) * strip_width);
          sum = mul_add(load_vector(taps + j * strip_width), in, sum);
        }
        const V next = load_vector(x[t] + c);
        store_vector(next, past + (d_conv - 2) * strip_width);
        sum = mul_add(load_vector(taps + (d_conv - 1) * strip_width), next, sum);
        store_vector(after(sum), x[t] + c);
      }
      continue;
    }
    // `inputs` contains the latest d_conv inputs in registers, oldest first. For each token, a new Several (an array of
    // vectors) is built instead of shifting the old one in a loop, because clang compiles such a loop to a copy through memory
    // with vectors of another width. Each token would then wait for the stores of the previous token, which takes five times as
    // long on AVX-512. The first token drops element 0, so this element starts as zero.
    auto inputs = several<d_conv>([&](std::size_t j) KRAIT_LAMBDA {
      return j == 0 ? hn::Zero(tag) : load_vector(past + (j - 1) * strip_width);
    });
    for (std::size_t t = 0; t < n; ++t) {
      const V next = load_vector(x[t] + c);
      inputs = several<d_conv>([&](std::size_t j) KRAIT_LAMBDA { return j + 1 < d_conv ? nth(inputs, j + 1) : next; });
      V sum = start;
      KRAIT_UNROLL
      for (std::size_t j = 0; j < d_conv; ++j) sum = mul_add(load_vector(taps + j * strip_width), nth(inputs, j), sum);
      store_vector(after(sum), x[t] + c);
    }
    KRAIT_UNROLL
    for (std::size_t j = 1; j < d_conv; ++j) store_vector(nth(inputs, j), past + (j - 1) * strip_width);
  }
#endif
}

KRAIT_END_TARGET

#endif
