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

KRAIT_BEGIN_TARGET

// The arguments of scan_backward. Shapes are those of Scan; gradients have the shapes of what they are gradients of.
struct ScanBackward {
  const float* A2;
  const float* D;
  const float* h;                         // the state before the first token
  TokenSpan<const float> dt, B, C, x;     // the inputs of the recurrence, whose step size is delta = softplus(dt)
  TokenSpan<const float> dy;              // the gradient of the outputs
  TokenSpan<float> dx, ddt, dB, dC;       // receive the gradients of the inputs
  float* dA_log;                          // the gradients of A_log and D are added to dA_log and dD, which may be null
  float* dD;
  float* dh;                              // on entry, the gradient of the state after the last token; on return, that of h
  float* sums;                            // memory for [tokens][2 d_state][16]; not used if per_channel
  std::size_t d_state;
  std::size_t tokens;
};

// Computes the gradients of scan_backward for one vector of channels, from channel c on. `tokens` is a number of at most
// `most`, or an integral_constant, with which the loops over the tokens are unrolled: the values of all tokens for one state
// are then in registers. On a Zen 5, a step of training takes 0.85 times as long as with the states outside.
template <bool per_channel, std::size_t most, class Count>
HWY_INLINE void scan_backward_channels(const ScanBackward& s, std::size_t c, Count tokens) {
  const V ln2 = hn::Set(Tag{}, 0.693147181f);
  const std::size_t d_state = s.d_state, row = d_state * strip_width, lane = c % strip_width;
  const std::size_t first = c / strip_width * row + lane;  // the offset of state 0 in [channels / 16][d_state][16]
  const auto matrix = [&](const float* from, std::size_t n) KRAIT_LAMBDA {
    if constexpr (per_channel) return load_vector(from + first + n * strip_width);
    else return hn::Set(Tag{}, from[n]);
  };
  // Calls f(i) for i = 0, ..., tokens - 1. Compilers report a loop that they cannot unroll.
  const auto each_token = [&](auto f) KRAIT_LAMBDA {
    if constexpr (std::is_same_v<Count, std::size_t>) {
      for (std::size_t i = 0; i < tokens; ++i) f(i);
    } else {
      KRAIT_UNROLL
      for (std::size_t i = 0; i < Count::value; ++i) f(i);
    }
  };
  V delta[most], delta_x[most], dy[most], along_B[most], along_A[most];
  each_token([&](std::size_t t) KRAIT_LAMBDA {
    delta[t] = softplus(load_vector(s.dt[t] + c)), delta_x[t] = mul(delta[t], load_vector(s.x[t] + c));
    dy[t] = load_vector(s.dy[t] + c), along_B[t] = zero_start(), along_A[t] = zero_start();
  });
  for (std::size_t n = 0; n < d_state; ++n) {
    const std::size_t in_state = first + n * strip_width;
    const V A2 = load_vector(s.A2 + in_state);
    V h[most + 1], decay[most];
    h[0] = load_vector(s.h + in_state);
    each_token([&](std::size_t t) KRAIT_LAMBDA {
      decay[t] = exp2_decay(mul(delta[t], A2));
      h[t + 1] = mul_add(decay[t], h[t], mul(delta_x[t], matrix(s.B[t], n)));
    });
    V dh = load_vector(s.dh + in_state), along_delta = zero_start();
    each_token([&](std::size_t i) KRAIT_LAMBDA {
      const std::size_t t = tokens - 1 - i;
      const V g = mul_add(matrix(s.C[t], n), dy[t], dh);
      if constexpr (per_channel) {
        store_vector(mul(dy[t], h[t + 1]), s.dC[t] + in_state);
        store_vector(mul(g, delta_x[t]), s.dB[t] + in_state);
      } else {
        float* const sums = s.sums + 2 * t * row + n * strip_width + lane;  // of dB, then of dC
        store_vector(mul_add(g, delta_x[t], load_vector(sums)), sums);
        store_vector(mul_add(dy[t], h[t + 1], load_vector(sums + row)), sums + row);
      }
      along_B[t] = mul_add(g, matrix(s.B[t], n), along_B[t]);
      dh = mul(g, decay[t]);
      const V e = mul(dh, h[t]);
      along_A[t] = mul_add(e, A2, along_A[t]);
      along_delta = add(along_delta, mul(e, delta[t]));
    });
    store_vector(dh, s.dh + in_state);
    if (s.dA_log) store_vector(mul_add(along_delta, mul(A2, ln2), load_vector(s.dA_log + in_state)), s.dA_log + in_state);
  }
  V dD = s.dD ? load_vector(s.dD + c) : zero_start();
  each_token([&](std::size_t i) KRAIT_LAMBDA {
    const std::size_t t = tokens - 1 - i;
    const V x = load_vector(s.x[t] + c);
    store_vector(mul_add(along_B[t], delta[t], mul(dy[t], load_vector(s.D + c))), s.dx[t] + c);
    const V ddelta = mul_add(along_B[t], x, mul(along_A[t], ln2));
    store_vector(mul(ddelta, sigmoid(load_vector(s.dt[t] + c))), s.ddt[t] + c);
    dD = mul_add(dy[t], x, dD);
  });
  if (s.dD) store_vector(dD, s.dD + c);
}

// Computes the gradients of selective_scan for at most `most` tokens, t descending:
//   g = dh + C dy, the gradient of h[t]; then dh = g decay and e = dh h[t - 1], where decay = 2^(delta A2)
//   dC = sum over c of dy h[t];  dB = sum over c of g (delta x);  dx = fma(sum of g B, delta, dy D)
//   ddelta = fma(sum of g B, x, ln 2 sum of e A2);  ddt = ddelta sigmoid(dt);  dD += dy x;  dA_log += A (sum of e delta)
// The sums over the states take them in ascending order and start from 0; the sums over tokens in descending order, where
// dA_log's start from 0 and dD's from the gradient so far. The sums over the channels are 16 chains, where chain p takes
// channels p, p + 16 and so on, which add_partial_sums adds.
template <bool per_channel, std::size_t most>
HWY_NOINLINE void scan_backward(const ScanBackward& s, std::size_t channels) {
  const std::size_t row = s.d_state * strip_width;
  if constexpr (!per_channel) std::memset(s.sums, 0, s.tokens * 2 * row * sizeof(float));
  for (std::size_t c = 0; c < channels; c += lanes) {
    if (s.tokens == most) scan_backward_channels<per_channel, most>(s, c, std::integral_constant<std::size_t, most>{});
    else scan_backward_channels<per_channel, most>(s, c, s.tokens);
  }
  if constexpr (!per_channel) {
    for (std::size_t t = 0; t < s.tokens; ++t)
      for (std::size_t n = 0; n < s.d_state; ++n) {
        s.dB[t][n] = add_partial_sums(s.sums + 2 * t * row + n * strip_width);
        s.dC[t][n] = add_partial_sums(s.sums + (2 * t + 1) * row + n * strip_width);
      }
  }
}

KRAIT_END_TARGET

#endif
