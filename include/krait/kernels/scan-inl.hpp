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
namespace krait {
namespace HWY_NAMESPACE {

// What the scan reads and writes, see selective_scan.
struct Scan {
  const float* A2;
  const float* D;
  float* h;
  Rows<const float> delta, B, C, x;
  Rows<float> y;
  std::size_t d_state;
  std::size_t tokens;
};

// The channels of `vectors` vectors from c on. More than one at a time, so that their chains for y run side by side.
template <bool per_channel, std::size_t vectors>
HWY_INLINE void scan_channels(const Scan& s, std::size_t c) {
  const Tag tag;
  const std::size_t d_state = s.d_state;
  // Of vector v: its [d_state][16] block, and the lane in it. Pointers of their own: h is written, and the compiler
  // cannot know that s is not.
  std::size_t at[vectors];
  const float* HWY_RESTRICT A2[vectors];
  float* HWY_RESTRICT h[vectors];
  KRAIT_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    const std::size_t channel = c + v * lanes;
    at[v] = channel / block_width * block_width * d_state + channel % block_width;
    A2[v] = s.A2 + at[v];
    h[v] = s.h + at[v];
  }
  for (std::size_t t = 0; t < s.tokens; ++t) {
    const float* HWY_RESTRICT B = s.B[t];
    const float* HWY_RESTRICT C = s.C[t];
    V delta[vectors], delta_x[vectors], y[vectors];
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      const V x = hn::Load(tag, s.x[t] + c + v * lanes);
      delta[v] = hn::Load(tag, s.delta[t] + c + v * lanes);
      delta_x[v] = hn::Mul(delta[v], x);
      y[v] = hn::Mul(hn::Load(tag, s.D + c + v * lanes), x);
    }
    for (std::size_t n = 0; n < d_state; ++n) {
      const std::size_t i = n * block_width;
      V B_n = hn::Set(tag, B[n]), C_n = hn::Set(tag, C[n]);
      KRAIT_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) {
        if constexpr (per_channel) B_n = hn::Load(tag, B + at[v] + i), C_n = hn::Load(tag, C + at[v] + i);
        const V decay = exp2_decay(hn::Mul(delta[v], hn::Load(tag, A2[v] + i)));
        const V h_n = mul_add(decay, hn::Load(tag, h[v] + i), hn::Mul(delta_x[v], B_n));
        hn::Store(h_n, tag, h[v] + i);
        y[v] = mul_add(C_n, h_n, y[v]);
      }
    }
    KRAIT_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) hn::Store(y[v], tag, s.y[t] + c + v * lanes);
  }
}

// For each token t and channel c, n ascending:
//   h[c][n] = 2^(delta A2[c][n]) h[c][n] + (delta x) B[n]
//   y[c]    = D x + sum over n of C[n] h[c][n]       one chain, from D x
// A2, h [channels / 16][d_state][16], A2 = A log2(e); D, delta, x, y rows of whole blocks. B, C [d_state], shared by the
// channels, or, per_channel, [channels / 16][d_state][16]. y may be x.
template <bool per_channel>
HWY_INLINE void selective_scan(const Scan& s, std::size_t channels) {
  std::size_t c = 0;
  for (; c + 2 * lanes <= channels; c += 2 * lanes) scan_channels<per_channel, 2>(s, c);
  if (c < channels) scan_channels<per_channel, 2>(s, c);
}

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
