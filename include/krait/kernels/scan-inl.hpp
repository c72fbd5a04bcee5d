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

// For each token t and channel c, n ascending:
//   h[c][n] = 2^(delta A2[c][n]) h[c][n] + (delta x) B[n]
//   y[c]    = D x + sum over n of C[n] h[c][n]       one chain, from D x
// A2, h [channels / 16][d_state][16], A2 = A log2(e); D, delta, x, y rows of whole blocks. B, C [d_state], shared by the
// channels, or, per_channel, [channels / 16][d_state][16]. y may be x.
template <bool per_channel>
HWY_INLINE void selective_scan(const float* HWY_RESTRICT A2, const float* HWY_RESTRICT D, float* HWY_RESTRICT h,
                               Rows<const float> delta, Rows<const float> B, Rows<const float> C, Rows<const float> x,
                               Rows<float> y, std::size_t channels, std::size_t d_state, std::size_t n_tokens) {
  const Tag tag;
  for (std::size_t c = 0; c < channels; c += lanes) {
    const std::size_t block = c / block_width * block_width * d_state + c % block_width;
    const V skip = hn::Load(tag, D + c);
    for (std::size_t t = 0; t < n_tokens; ++t) {
      const V delta_c = hn::Load(tag, delta[t] + c);
      const V x_c = hn::Load(tag, x[t] + c);
      const V delta_x = hn::Mul(delta_c, x_c);
      const float* B_t = B[t] + (per_channel ? block : 0);
      const float* C_t = C[t] + (per_channel ? block : 0);
      V sum = hn::Mul(skip, x_c);
      for (std::size_t n = 0; n < d_state; ++n) {
        const std::size_t at = block + n * block_width;
        const V B_n = per_channel ? hn::Load(tag, B_t + n * block_width) : hn::Set(tag, B_t[n]);
        const V C_n = per_channel ? hn::Load(tag, C_t + n * block_width) : hn::Set(tag, C_t[n]);
        const V decay = exp2_decay(hn::Mul(delta_c, hn::Load(tag, A2 + at)));
        const V h_n = mul_add(decay, hn::Load(tag, h + at), hn::Mul(delta_x, B_n));
        hn::Store(h_n, tag, h + at);
        sum = mul_add(C_n, h_n, sum);
      }
      hn::Store(sum, tag, y[t] + c);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
