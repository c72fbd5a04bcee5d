// Computes the gradients of the selective scan. The states of a few tokens are computed again from the state before them.
#if defined(KRAIT_KERNELS_SCAN_BACKWARD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_SCAN_BACKWARD_INL_HPP
#undef KRAIT_KERNELS_SCAN_BACKWARD_INL_HPP
#else
#define KRAIT_KERNELS_SCAN_BACKWARD_INL_HPP
#endif

#include "krait/kernels/norm_backward-inl.hpp"
#include "krait/kernels/scan-inl.hpp"
#include "krait/kernels/slope-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// The arguments of scan_backward. Shapes are those of Scan; gradients have the shapes of what they are gradients of.
struct ScanBackward {
  const float* A2;
  const float* D;
  const float* h;                         // the state before the first token
  TokenSpan<const float> dt, B, C, x;     // the inputs; delta = softplus(dt)
  TokenSpan<const float> dy;              // the gradient of the outputs
  TokenSpan<float> dx, ddt, dB, dC;       // receive the gradients of the inputs
  float* dA_log;                          // receive the gradients of the weights, which are added; may be null
  float* dD;
  float* dh;                              // on entry, the gradient of the state after the last token; on return, that of h
  float* states;                          // memory for [tokens + 1][d_state][16]
  float* decays;                          // memory for [tokens][d_state][16]
  float* sums;                            // memory for [tokens][2 d_state][16]; not used if per_channel
  std::size_t d_state;
  std::size_t tokens;
};

// Computes the gradients of selective_scan for a few tokens, `tokens` descending in the second loop:
//   g = dh + C dy, the gradient of h[t]; then dh = g decay and e = dh h[t - 1], where decay = 2^(delta A2)
//   dC = sum over c of dy h[t];  dB = sum over c of g (delta x);  dx = fma(sum of g B, delta, dy D)
//   ddelta = fma(sum of g B, x, ln 2 sum of e A2);  ddt = ddelta sigmoid(dt);  dD += dy x;  dA_log += A (sum of e delta)
// The sums over the states take them in ascending order and start from 0; the sums over tokens in descending order, where
// dA_log's start from 0 and dD's from the gradient so far. The sums over the channels are 16 chains, where chain p takes
// channels p, p + 16 and so on, which add_partial_sums adds.
template <bool per_channel>
HWY_NOINLINE void scan_backward(const ScanBackward& s, std::size_t channels) {
  constexpr float ln2 = 0.693147181f;
  const std::size_t d_state = s.d_state, row = d_state * strip_width;
  if constexpr (!per_channel) std::memset(s.sums, 0, s.tokens * 2 * row * sizeof(float));
  for (std::size_t c = 0; c < channels; c += lanes) {
    const std::size_t lane = c % strip_width;
    const std::size_t first = c / strip_width * row + lane;  // the offset of state 0 in [channels / 16][d_state][16]
    const auto matrix = [&](const float* from, std::size_t n) KRAIT_LAMBDA {
      if constexpr (per_channel) return load_vector(from + first + n * strip_width);
      else return hn::Set(Tag{}, from[n]);
    };
    for (std::size_t n = 0; n < d_state; ++n)
      store_vector(load_vector(s.h + first + n * strip_width), s.states + n * strip_width + lane);
    for (std::size_t t = 0; t < s.tokens; ++t) {
      const V delta = softplus(load_vector(s.dt[t] + c)), delta_x = mul(delta, load_vector(s.x[t] + c));
      for (std::size_t n = 0; n < d_state; ++n) {
        const std::size_t at = t * row + n * strip_width + lane;
        const V decay = exp2_decay(mul(delta, load_vector(s.A2 + first + n * strip_width)));
        store_vector(decay, s.decays + at);
        store_vector(mul_add(decay, load_vector(s.states + at), mul(delta_x, matrix(s.B[t], n))), s.states + at + row);
      }
    }
    V dD = s.dD ? load_vector(s.dD + c) : zero_start();
    for (std::size_t t = s.tokens; t-- > 0;) {
      const V dt = load_vector(s.dt[t] + c), delta = softplus(dt), x = load_vector(s.x[t] + c), delta_x = mul(delta, x);
      const V dy = load_vector(s.dy[t] + c);
      V along_B = zero_start(), along_A = zero_start();
      for (std::size_t n = 0; n < d_state; ++n) {
        const std::size_t at = t * row + n * strip_width + lane, in_state = first + n * strip_width;
        const V g = mul_add(matrix(s.C[t], n), dy, load_vector(s.dh + in_state));
        const V h = load_vector(s.states + at + row);
        if constexpr (per_channel) {
          store_vector(mul(dy, h), s.dC[t] + in_state);
          store_vector(mul(g, delta_x), s.dB[t] + in_state);
        } else {
          float* const sums = s.sums + 2 * t * row + n * strip_width + lane;  // of dB, then of dC
          store_vector(mul_add(g, delta_x, load_vector(sums)), sums);
          store_vector(mul_add(dy, h, load_vector(sums + row)), sums + row);
        }
        along_B = mul_add(g, matrix(s.B[t], n), along_B);
        const V dh = mul(g, load_vector(s.decays + at)), e = mul(dh, load_vector(s.states + at));
        store_vector(dh, s.dh + in_state);
        along_A = mul_add(e, load_vector(s.A2 + in_state), along_A);
        store_vector(mul(e, delta), s.decays + at);  // the decay is not used again; dA_log is the sum of these
      }
      store_vector(mul_add(along_B, delta, mul(dy, load_vector(s.D + c))), s.dx[t] + c);
      const V ddelta = mul_add(along_B, x, mul(along_A, hn::Set(Tag{}, ln2)));
      store_vector(mul(ddelta, sigmoid(dt)), s.ddt[t] + c);
      dD = mul_add(dy, x, dD);
    }
    if (s.dD) store_vector(dD, s.dD + c);
    if (s.dA_log) {
      for (std::size_t n = 0; n < d_state; ++n) {
        V sum = zero_start();
        for (std::size_t t = s.tokens; t-- > 0;) sum = add(sum, load_vector(s.decays + t * row + n * strip_width + lane));
        float* const to = s.dA_log + first + n * strip_width;
        const V A = mul(load_vector(s.A2 + first + n * strip_width), hn::Set(Tag{}, ln2));
        store_vector(mul_add(sum, A, load_vector(to)), to);
      }
    }
  }
  if constexpr (!per_channel) {
    for (std::size_t t = 0; t < s.tokens; ++t)
      for (std::size_t n = 0; n < d_state; ++n) {
        s.dB[t][n] = add_partial_sums(s.sums + 2 * t * row + n * strip_width);
        s.dC[t][n] = add_partial_sums(s.sums + (2 * t + 1) * row + n * strip_width);
      }
  }
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
