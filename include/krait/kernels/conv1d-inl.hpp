// The causal depthwise convolution over a run of tokens, with what follows it.
#if defined(KRAIT_KERNELS_CONV1D_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_CONV1D_INL_HPP
#undef KRAIT_KERNELS_CONV1D_INL_HPP
#else
#define KRAIT_KERNELS_CONV1D_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"
#include "krait/kernels/linear-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// What may follow: nothing, or SiLU.
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

// Taps up to which the window is in registers. With more it stays in memory, so that no frame grows with d_conv.
inline constexpr std::size_t most_taps_held = 8;

// y_t = after(bias + sum over j of weight[j] x_{t - d_conv + 1 + j}), oldest tap first, in place: x becomes y.
// weight [channels / 16][d_conv][16]; window [channels / 16][d_conv - 1][16], the inputs before the first, oldest first,
// brought up to date; rows of whole blocks.
template <std::size_t d_conv, class After>
HWY_INLINE void conv1d_rows(const float* HWY_RESTRICT weight, const float* bias, float* HWY_RESTRICT window,
                            TokenSpan<float> x, std::size_t channels, std::size_t n, After after) {
#ifdef KRAIT_CORTEX_M_FPU
  for (std::size_t t = 0; t < n; ++t) {
    for (std::size_t c = 0; c < channels; c += 4) {
      const std::size_t block = c / strip_width * strip_width;
      convolve_four(weight + block * d_conv + c % strip_width, bias ? bias + c : no_bias,
                    window + block * (d_conv - 1) + c % strip_width, x[t] + c, d_conv - 1);
    }
    after.row(x[t], channels);
  }
#else
  const Tag tag;
  for (std::size_t c = 0; c < channels; c += lanes) {
    const std::size_t block = c / strip_width * strip_width;
    const float* taps = weight + block * d_conv + c % strip_width;
    float* past = d_conv > 1 ? window + block * (d_conv - 1) + c % strip_width : nullptr;
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
    // The inputs that the taps meet, oldest first. Never moved in a loop: clang would make it a copy in memory, in vectors of
    // another width, and a token would wait for the stores of the one before (on AVX-512 this pass took five times as long).
    auto inputs = several<d_conv>([&](std::size_t j) KRAIT_LAMBDA {
      return j == 0 ? hn::Zero(tag) : load_vector(past + (j - 1) * strip_width);  // the first leaves before it is used
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

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
