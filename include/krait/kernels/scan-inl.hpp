// The selective scan: the recurrence of arXiv 2312.00752, equation 2, with its discretisation.
#if defined(KRAIT_KERNELS_SCAN_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_SCAN_INL_HPP
#undef KRAIT_KERNELS_SCAN_INL_HPP
#else
#define KRAIT_KERNELS_SCAN_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"
#include "krait/kernels/linear-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// What the scan reads and writes, see selective_scan.
struct Scan {
  const float* A2;
  const float* D;
  float* h;
  TokenSpan<const float> delta, B, C, x;
  TokenSpan<float> y;
  std::size_t d_state;
  std::size_t tokens;
};

// The k vectors of channels from c on, which lie in blocks at, in each of [channels / 16][d_state][16].
template <bool per_channel, std::size_t k>
HWY_INLINE void scan_channels(const Scan& s, std::size_t c) {
  const std::size_t d_state = s.d_state;
  const auto at = [d_state](std::size_t channel) {
    return channel / strip_width * strip_width * d_state + channel % strip_width;
  };
  // k vectors of such an array, for one n.
  const auto load_state = [&](const float* from, std::size_t n) KRAIT_LAMBDA {
    return several<k>([&](std::size_t v) KRAIT_LAMBDA {
      return load_vector(from + at(c + v * lanes) + n * strip_width);
    });
  };
  const auto store_state = [&](const auto& all, float* to, std::size_t n) KRAIT_LAMBDA {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < k; ++v) store_vector(nth(all, v), to + at(c + v * lanes) + n * strip_width);
  };
  const float* HWY_RESTRICT A2 = s.A2;
  float* HWY_RESTRICT h = s.h;
  for (std::size_t t = 0; t < s.tokens; ++t) {
    const float* HWY_RESTRICT B = s.B[t];
    const float* HWY_RESTRICT C = s.C[t];
    const auto x = load<k>(s.x[t] + c);
    const auto delta = load<k>(s.delta[t] + c);
    const auto delta_x = mul(delta, x);
    auto y = mul(load<k>(s.D + c), x);
    for (std::size_t n = 0; n < d_state; ++n) {
      const auto decay = exp2_decay(mul(delta, load_state(A2, n)));
      const auto matrix = [&](const float* row) KRAIT_LAMBDA {
        if constexpr (per_channel) return load_state(row, n);
        else return hn::Set(Tag{}, row[n]);
      };
      const auto h_n = mul_add(decay, load_state(h, n), mul(delta_x, matrix(B)));
      store_state(h_n, h, n);
      y = mul_add(matrix(C), h_n, y);
    }
    store(y, s.y[t] + c);
  }
}

#ifdef KRAIT_CORTEX_M_FPU
#ifdef KRAIT_CORTEX_M_HELIUM
inline constexpr float decay_table[6] = {exp2_c5, exp2_c4, exp2_c3, exp2_c2, exp2_c1, exp2_c0};
#else
inline constexpr float decay_table[11] = {exp2_c5, exp2_c4, exp2_c4, exp2_c3, exp2_c3, exp2_c2,
                                           exp2_c2, exp2_c1, exp2_c1, exp2_c0, exp2_c0};
#endif
HWY_INLINE void scan_in_fours(const Scan& s, std::size_t channels) {
  for (std::size_t t = 0; t < s.tokens; ++t) {
    ScanOfFour four{s.A2, s.h, s.B[t], s.C[t], s.d_state, decay_table, s.delta[t], s.x[t], s.D, s.y[t]};
    for (std::size_t c = 4; c <= channels; c += 4) {
      scan_four_channels(four);
      const std::size_t to_next = c % strip_width == 0 ? 4 + (s.d_state - 1) * strip_width : 4;
      four.A2 += to_next, four.h += to_next;
    }
  }
}
#endif

// For each token t and channel c, n ascending:
//   h[c][n] = 2^(delta A2[c][n]) h[c][n] + (delta x) B[n]
//   y[c]    = D x + sum over n of C[n] h[c][n]       one chain, from D x
// A2, h [channels / 16][d_state][16], A2 = A log2(e); D, delta, x, y rows of whole blocks. B, C [d_state], shared by the
// channels, or, per_channel, [channels / 16][d_state][16]. y may be x.
template <bool per_channel>
HWY_INLINE void selective_scan(const Scan& s, std::size_t channels) {
#ifdef KRAIT_CORTEX_M_FPU
  if constexpr (!per_channel) return scan_in_fours(s, channels);
#endif
  for_each_group(channels, [&s](auto k, std::size_t c) KRAIT_LAMBDA { scan_channels<per_channel, k>(s, c); });
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
