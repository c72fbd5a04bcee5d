// Computes the recurrence of Mamba-3 over tokens (arXiv 2603.15569): the factors of its heads, the update of the state, the
// norm and the gate.
#if defined(KRAIT_KERNELS_ROTARY_SCAN_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ROTARY_SCAN_INL_HPP
#undef KRAIT_KERNELS_ROTARY_SCAN_INL_HPP
#else
#define KRAIT_KERNELS_ROTARY_SCAN_INL_HPP
#endif

#include <cstdint>

#include "krait/kernels/activation-inl.hpp"
#include "krait/kernels/head_scan-inl.hpp"
#include "krait/kernels/norm-inl.hpp"
#include "krait/kernels/rotation-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns softplus(x) with a smaller error than the function `softplus`, by polynomials of higher degrees. An angle is a sum of
// thousands of products with delta, in which a constant relative error of delta would add up. 2^f is computed as 1 + f P(f),
// with an error of 4.7e-11, and log(1 + u) as u + u^2 Q(u), with a relative error of 8.0e-10. These are the errors before the
// coefficients are rounded to float32. Both arrays contain the coefficients, highest power first.
inline constexpr float delta_exp2_c[8] = {1.5196156709862407e-05f, 0.00015466756303794682f, 0.0013333935057744384f,
                                          0.009618038311600685f,   0.055504102259874344f,   0.24022650718688965f,
                                          0.6931471824645996f,     1.0f};
inline constexpr float delta_log1p_c[11] = {0.0020729508250951767f, -0.013631496578454971f, 0.041981399059295654f,
                                            -0.08307410776615143f,  0.12467125058174133f,   -0.1612933725118637f,
                                            0.19897931814193726f,   -0.24988579750061035f,  0.33332690596580505f,
                                            -0.49999988079071045f,  1.0f};
template <class A>
HWY_INLINE A precise_softplus(const A& x) {
  const auto hi = constant<A>(log2e_hi);
  const A minus_abs = clamp_below(constant<A>(-exp_limit), neg(abs(x)));
  const A n_shifted = round_shifted(mul(minus_abs, hi));
  const A minus_n = sub(constant<A>(whole_shift), n_shifted);
  const A f = mul_add(minus_abs, constant<A>(log2e_lo), mul_add(minus_abs, hi, minus_n));
  const A u = times_power_of_two(polynomial(delta_exp2_c, f), n_shifted);
  return mul_add(polynomial(delta_log1p_c, u), u, clamp_below(constant<A>(0.0f), x));
}

// Computes the factors alpha, beta and gamma of the recurrence for k tokens, from the outputs of in_proj: dt, a and trap,
// [heads] each, one after the other. Replaces dt by delta = softplus(dt + dt_bias). With A = -max(heavy_tail(a), A_floor):
//   alpha = e^(A delta);  beta = (1 - sigmoid(trap)) delta alpha;  gamma = sigmoid(trap) delta
// heavy_tail(a) is 1 + a for a >= 0, and 1 / (1 - a) for a < 0. dt_bias, alpha, beta and gamma are padded to a multiple of 16,
// and the factors of a token are stored one after the other.
template <std::size_t k>
HWY_INLINE void head_factors_of(TokenSpan<float> dt, const float* dt_bias, float A_floor, TokenSpan<float> factors,
                                std::size_t heads) {
  const V one = constant<V>(1.0f);
  for_each_vector(heads, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const auto input = [&](std::size_t first) KRAIT_LAMBDA {
      return several<k>([&](std::size_t t) KRAIT_LAMBDA { return load(dt[t] + first + i); });
    };
    const auto store_factor = [&](const auto& all, std::size_t number) KRAIT_LAMBDA {
      KRAIT_UNROLL
      for (std::size_t t = 0; t < k; ++t) store_vector(nth(all, t), factors[t] + number * padded(heads) + i);
    };
    const auto delta = precise_softplus(add(input(0), load_vector(dt_bias + i)));
    const auto rate = input(heads);
    // heavy_tail(a) is computed as (1 + max(0, a)) / (1 + max(0, -a)).
    const V zero = hn::Zero(Tag{});
    const auto heavy_tail = div(add(one, clamp_below(zero, rate)), add(one, clamp_below(zero, neg(rate))));
    const auto minus_A = clamp_below(constant<V>(A_floor), heavy_tail);
    const auto alpha = exp2_decay(neg(mul(delta, mul(minus_A, constant<V>(log2e_hi)))));
    const auto share = sigmoid(input(2 * heads));
    KRAIT_UNROLL
    for (std::size_t t = 0; t < k; ++t) store(nth(delta, t), dt[t] + i);
    store_factor(alpha, 0);
    store_factor(mul(mul(sub(one, share), delta), alpha), 1);
    store_factor(mul(share, delta), 2);
  });
}

// Calls head_factors_of for n tokens, several at a time where the target has vectors.
HWY_INLINE void head_factors(TokenSpan<float> dt, const float* dt_bias, float A_floor, TokenSpan<float> factors,
                             std::size_t heads, std::size_t n) {
  constexpr std::size_t k = lanes == 1 ? 1 : side_by_side;
  std::size_t t = 0;
  for (; t + k <= n; t += k) head_factors_of<k>(dt.from(t), dt_bias, A_floor, factors.from(t), heads);
  if constexpr (k > 1)
    for (; t < n; ++t) head_factors_of<1>(dt.from(t), dt_bias, A_floor, factors.from(t), heads);
}

// The arguments of rotary_scan: pointers to the weights, the state, the inputs and the outputs of a run of tokens. padded(n) is
// n rounded up to a multiple of 16, and rank is mimo_rank. The state contains k and x of the token before the run, because two
// tokens enter each update of h.
struct RotaryScan {
  const float* D;                                // weight of the skip connection, [heads]
  const float *B_bias, *C_bias;                  // [heads][rank][padded(d_state)]
  const float *mimo_x, *mimo_z, *mimo_o, *norm;  // [heads][rank][padded(headdim)]; norm [heads][headdim]; null if absent
  float* h;                                      // state, [heads][headdim / 16, rounded up][d_state][16]
  float *k, *last_x;                             // last k [heads][rank][padded(d_state)], last x [heads][padded(headdim)]
  std::uint32_t* turns;                          // state: the angles phi in units of 2^-32 turns, [heads][angles]
  // For each token: alpha, beta and gamma [3][padded(heads)]; delta [heads]; tanh(angle) [angles].
  TokenSpan<const float> factors, delta, angle;
  TokenSpan<const float> B, C, z;  // for each token: B and C after their norms, [rank][ngroups][d_state]; z [heads][headdim]
  TokenSpan<float> x;              // for each token: [heads][headdim]; rotary_scan overwrites it with its outputs
  std::size_t heads, headdim, ngroups, d_state, angles, tokens;
  float eps;
};

// Advances the angles of some neighbouring heads, at most heads_in_vector, by pi tanh(angle) delta of token t, and computes
// their sines and cosines [heads][angles].
HWY_INLINE void advance_angles(const RotaryScan& s, const AngleLanes& of, Range heads, std::size_t t, float* sine,
                               float* cosine) {
  const V half = constant<V>(0.5f);
  const float *const angle = s.angle[t], *const delta = s.delta[t] + heads.begin;
  std::uint32_t* const turns = s.turns + heads.begin * s.angles;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  if (heads_in_vector(s.angles) > 1) {
    const V half_delta = lookup(mul(half, load_first(Tag{}, delta, heads.size())), of.head);
    const V step = mul(lookup(load_first(Tag{}, angle, s.angles), of.angle), half_delta);
    return advance_vector(turns, step, heads.size() * s.angles, sine, cosine);
  }
#else
  (void)of;
#endif
  const V half_delta = mul(half, constant<V>(*delta));
  for_each_vector(s.angles, [&](std::size_t i, auto load, auto) KRAIT_LAMBDA {
    advance_vector(turns + i, mul(load(angle + i), half_delta), std::min(lanes, s.angles - i), sine + i, cosine + i);
  });
}

// Pointers to the data of one head for `count` tokens:
//   factors  alpha, beta and gamma of each token, [3][padded(heads)], from alpha of this head on
//   x, y     inputs [headdim] and outputs [rank][headdim] of each token; y may be x
//   last_x   x of the token before the first
//   k, q     k = rotate(B + B_bias) of the token before the first and of each token, and q = rotate(C + C_bias) of each token;
//            [rank][d_state]
//   h        the state
// All vectors are padded to a multiple of 16.
template <std::size_t count>
struct HeadTokens {
  const float* factors[count];
  const float* x[count];
  float* y[count];
  float* last_x;
  const float *k[1 + count], *q[count];
  float* h;
};

// Processes `count` tokens for m SIMD vectors of channels of one head, from channel c on: updates h, writes y and replaces
// last_x by the last x. The sums are computed by update_states, in this order:
//   h[n] = alpha h[n] + (beta v'[0]) k'[0][n] + (beta v'[1]) k'[1][n] + ... + (gamma v[0]) k[0][n] + ...
//   y[r] = D v[r] + q[r][0] h[0] + q[r][1] h[1] + ...
// alpha, beta and gamma are the head's factors. v[r] is x mimo_x[r], or x in a SISO block. v' and k' are v and k of the token
// before.
template <std::size_t rank, std::size_t m, std::size_t count>
HWY_INLINE void rotary_scan_tile(const RotaryScan& s, std::size_t head, const HeadTokens<count>& at, std::size_t c) {
  const std::size_t wide = padded(s.headdim), states = padded(s.d_state);
  const V D = constant<V>(s.D[head]);
  V decay[count], beta[count], gamma[count], v[count][2 * rank][m], y[count][rank][m];
  const float *vectors[count][2 * rank], *q[count][rank];
  KRAIT_UNROLL
  for (std::size_t j = 0; j < count; ++j) {
    decay[j] = constant<V>(at.factors[j][0]);
    beta[j] = constant<V>(at.factors[j][padded(s.heads)]);
    gamma[j] = constant<V>(at.factors[j][2 * padded(s.heads)]);
    KRAIT_UNROLL
    for (std::size_t r = 0; r < rank; ++r) {
      vectors[j][r] = at.k[j] + r * states;
      vectors[j][rank + r] = at.k[j + 1] + r * states;
      q[j][r] = at.q[j] + r * states;
    }
  }
  KRAIT_UNROLL
  for (std::size_t i = 0; i < m; ++i) {
    const std::size_t channel = c + i * lanes;
    V last_x = load_vector(at.last_x + channel);
    KRAIT_UNROLL
    for (std::size_t j = 0; j < count; ++j) {
      const V x = load_vector(at.x[j] + channel);
      KRAIT_UNROLL
      for (std::size_t r = 0; r < rank; ++r) {
        V new_v = x, last_v = last_x;
        if constexpr (rank > 1) {
          const V of_rank = load_vector(s.mimo_x + (head * rank + r) * wide + channel);
          new_v = mul(x, of_rank), last_v = mul(last_x, of_rank);
        }
        v[j][r][i] = mul(beta[j], last_v);
        v[j][rank + r][i] = mul(gamma[j], new_v);
        y[j][r][i] = mul(D, new_v);
      }
      last_x = x;
    }
    store_vector(last_x, at.last_x + channel);
  }
  update_states(decay, v, vectors, y, q, at.h + c / strip_width * strip_width * s.d_state + c % strip_width, s.d_state);
  KRAIT_UNROLL
  for (std::size_t j = 0; j < count; ++j) {
    KRAIT_UNROLL
    for (std::size_t r = 0; r < rank; ++r) {
      KRAIT_UNROLL
      for (std::size_t i = 0; i < m; ++i) store_vector(y[j][r][i], at.y[j] + r * wide + c + i * lanes);
    }
  }
}

// Combines the outputs y [rank][headdim] of one head of a MIMO block for one token into `out` [headdim]: the sum over r of y[r]
// SiLU(z mimo_z[r]) mimo_o[r].
template <std::size_t rank>
HWY_INLINE void gate_head(const RotaryScan& s, std::size_t head, const float* z, const float* y, float* out) {
  const std::size_t wide = padded(s.headdim);
  for_each_vector(s.headdim, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const V gate = load(z + i);
    V sum = zero_start();
    KRAIT_UNROLL
    for (std::size_t r = 0; r < rank; ++r) {
      const std::size_t at = (head * rank + r) * wide + i;
      const V gated = mul(load_vector(y + r * wide + i), silu(mul(gate, load_vector(s.mimo_z + at))));
      sum = mul_add(gated, load_vector(s.mimo_o + at), sum);
    }
    store(sum, out + i);
  });
}

// Computes k and q, [rank][d_state], of one head for token t, from the sines and cosines of the head's angles.
template <std::size_t rank>
HWY_INLINE void rotate_head(const RotaryScan& s, std::size_t head, std::size_t t, const float* sine, const float* cosine,
                            float* k, float* q) {
  const std::size_t states = padded(s.d_state);
  for (std::size_t r = 0; r < rank; ++r) {
    const std::size_t of_group = (r * s.ngroups + head / (s.heads / s.ngroups)) * s.d_state;
    const std::size_t of_head = (head * rank + r) * states;
    rotate_row<rank == 1>(s.B[t] + of_group, s.B_bias + of_head, sine, cosine, k + r * states, s.d_state, s.angles);
    rotate_row<rank == 1>(s.C[t] + of_group, s.C_bias + of_head, sine, cosine, q + r * states, s.d_state, s.angles);
  }
}

// Computes the recurrence of the heads in `heads`, at most heads_in_vector, for `count` tokens from token t on.
template <std::size_t rank, std::size_t angles, std::size_t count, class HeadScratch>
HWY_INLINE void rotary_scan_heads(const RotaryScan& s, Range heads, std::size_t t, HeadScratch* scratch) {
  const std::size_t wide = padded(s.headdim), states = padded(s.d_state);
  constexpr std::size_t vectors = head_scan_vectors;
  // True if heads have no padding. Tiles then read x in place and, in a SISO block, write y over x. Otherwise they work on a
  // copy of x with padding.
  const bool aligned = s.headdim % strip_width == 0;
  KRAIT_UNROLL
  for (std::size_t j = 0; j < count; ++j)
    advance_angles(s, angle_lanes<angles>, heads, t + j, scratch->sine[j].data(), scratch->cosine[j].data());
  for (std::size_t head = heads.begin; head < heads.end; ++head) {
    const std::size_t first_angle = (head - heads.begin) * s.angles;
    float* const last_k = s.k + head * rank * states;
    HeadTokens<count> at;
    at.k[0] = last_k;
    at.last_x = s.last_x + head * wide;
    at.h = s.h + head * wide * s.d_state;
    KRAIT_UNROLL
    for (std::size_t j = 0; j < count; ++j) {
      float *const k = scratch->k[j].data(), *const q = scratch->q[j].data();
      rotate_head<rank>(s, head, t + j, scratch->sine[j].data() + first_angle, scratch->cosine[j].data() + first_angle, k, q);
      float *const x = s.x[t + j] + head * s.headdim, *const copy = scratch->x[j].data();
      if (!aligned) copy_padded(x, copy, s.headdim);
      at.factors[j] = s.factors[t + j] + head;
      at.x[j] = aligned ? x : copy;
      at.y[j] = rank > 1 ? scratch->y[j].data() : aligned ? x : copy;
      at.k[j + 1] = k;
      at.q[j] = q;
    }
    std::size_t c = 0;
    for (; c + vectors * lanes <= wide; c += vectors * lanes) rotary_scan_tile<rank, vectors>(s, head, at, c);
    if constexpr (vectors * lanes > strip_width)
      for (; c < wide; c += strip_width) rotary_scan_tile<rank, strip_width / lanes>(s, head, at, c);
    for (std::size_t j = 0; j < count; ++j) {
      float *const x = s.x[t + j] + head * s.headdim, *const y = at.y[j];
      if (s.norm != nullptr)
        for (std::size_t r = 0; r < rank; ++r)
          rms_norm_row(y + r * wide, s.norm + head * s.headdim, nullptr, s.eps, y + r * wide, s.headdim);
      if constexpr (rank > 1) gate_head<rank>(s, head, s.z[t + j] + head * s.headdim, y, x);
      else if (!aligned) copy_floats(y, x, s.headdim);
    }
    for (std::size_t r = 0; r < rank * states; r += states)
      for (std::size_t n = 0; n < s.d_state; n += lanes) store_vector(load_vector(at.k[count] + r + n), last_k + r + n);
  }
}

// Computes the recurrence of Mamba-3 for a run of tokens and the heads in `part`, and updates the states of these heads. y[r]
// is computed as in rotary_scan_tile; norm is the identity if s.norm is null. Overwrites x:
//   in a SISO block (rank 1)   with norm(y); the caller then multiplies norm(y) by the gate SiLU(z)
//   in a MIMO block            with the gated output, the sum over r of norm(y[r]) SiLU(z mimo_z[r]) mimo_o[r]
// `scratch` is working memory for one head and a few tokens; the heads use it one after the other.
template <std::size_t rank, std::size_t angles, class HeadScratch>
HWY_INLINE void rotary_scan(const RotaryScan& s, Range part, HeadScratch* scratch) {
  constexpr std::size_t count = std::min(HeadScratch::tokens, head_scan_tokens);
  for (std::size_t head = part.begin; head < part.end; head += heads_in_vector(s.angles)) {
    const Range heads{head, std::min(head + heads_in_vector(s.angles), part.end)};
    std::size_t t = 0;
    for (; t + count <= s.tokens; t += count) rotary_scan_heads<rank, angles, count>(s, heads, t, scratch);
    if constexpr (count > 1)
      for (; t < s.tokens; ++t) rotary_scan_heads<rank, angles, 1>(s, heads, t, scratch);
  }
}

KRAIT_END_TARGET

#endif
