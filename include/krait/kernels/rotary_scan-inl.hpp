// Computes the recurrence of Mamba-3 over tokens (arXiv 2603.15569): the factors of its heads, the rotation of B and C, the
// update of the state, the norm and the gate.
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

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

using IntTag = hn::RebindToSigned<Tag>;
using IntV = hn::Vec<IntTag>;

// Truncates the lanes of v, which must be within +-2^31, to integers.
HWY_INLINE IntV to_integers(V v) {
#if HWY_TARGET == HWY_SCALAR
  return IntV(static_cast<std::int32_t>(v.raw));  // not hn::ConvertTo, which compares v with limits in double precision
#else
  return hn::ConvertTo(IntTag{}, v);
#endif
}

// Converts an angle of t turns, for |t| < 2^21, to units of 2^-32 turns, modulo one turn and rounded to nearest. NaN is
// converted to 0.
HWY_INLINE IntV whole_turns(V t) {
  const V fraction = sub(t, sub(round_shifted(t), constant<V>(whole_shift)));  // t minus its nearest integer
  const V units = mul(hn::IfThenElse(hn::Eq(fraction, fraction), fraction, hn::Zero(Tag{})), constant<V>(0x1p32f));
  // Rounds to nearest by adding 1/2 (with the sign of `units`) before to_integers, which truncates. The result is limited to
  // the largest float below 2^31.
  const V nearest = add(units, hn::CopySign(constant<V>(0.5f), units));
  return to_integers(neg(clamp_below(constant<V>(-2147483520.0f), neg(nearest))));
}

// Computes the sine and cosine of an angle in units of 2^-32 turns. After the nearest quarter of a turn is subtracted, an angle
// x with |x| <= 1/8 turn remains. sin(2 pi x) is computed as x times a polynomial of degree 3 in x^2, with a relative error of
// 3.3e-9, and cos(2 pi x) as a polynomial of degree 4 in x^2, with an error of 6.4e-11. The polynomials are minimax; sine_c and
// cosine_c contain their coefficients, highest power first.
inline constexpr float sine_c[4] = {-75.39356231689453f, 81.59235382080078f, -41.3416633605957f, 6.2831854820251465f};
inline constexpr float cosine_c[5] = {59.229244232177734f, -85.4432373046875f, 64.93932342529297f, -19.739208221435547f, 1.0f};
HWY_INLINE void sine_cosine(IntV turns, V& sine, V& cosine) {
  const IntTag int_tag;
  const hn::RebindToUnsigned<Tag> word_tag;
  const auto words = hn::BitCast(word_tag, turns);
  const auto quarter = hn::ShiftRight<30>(hn::Add(words, hn::Set(word_tag, 1u << 29)));
  const auto left = hn::BitCast(int_tag, hn::Sub(words, hn::ShiftLeft<30>(quarter)));
  const V x = mul(hn::ConvertTo(Tag{}, left), constant<V>(0x1p-32f));
  const V square = mul(x, x);
  V s = constant<V>(sine_c[0]), c = constant<V>(cosine_c[0]);
  KRAIT_UNROLL
  for (std::size_t i = 1; i < 4; ++i) s = mul_add(s, square, constant<V>(sine_c[i]));
  KRAIT_UNROLL
  for (std::size_t i = 1; i < 5; ++i) c = mul_add(c, square, constant<V>(cosine_c[i]));
  s = mul(s, x);
  // A rotation by an odd number of quarter turns exchanges sine and cosine. The sine is negated for 2 and 3 quarter turns, and
  // the cosine for 1 and 2 quarter turns.
  const auto two = hn::Set(word_tag, 2u);
  const auto one = hn::Set(word_tag, 1u);
  const auto is_odd = hn::RebindMask(Tag{}, hn::Eq(hn::And(quarter, one), one));
  const V minus_sine = hn::BitCast(Tag{}, hn::ShiftLeft<30>(hn::And(quarter, two)));
  const V minus_cosine = hn::BitCast(Tag{}, hn::ShiftLeft<30>(hn::And(hn::Add(quarter, one), two)));
  sine = hn::Xor(hn::IfThenElse(is_odd, c, s), minus_sine);
  cosine = hn::Xor(hn::IfThenElse(is_odd, s, c), minus_cosine);
}

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
HWY_INLINE V precise_softplus(V x) {
  const V hi = constant<V>(log2e_hi);
  const V minus_abs = clamp_below(constant<V>(-exp_limit), neg(abs(x)));
  const V n_shifted = round_shifted(mul(minus_abs, hi));
  const V minus_n = sub(constant<V>(whole_shift), n_shifted);
  const V f = mul_add(minus_abs, constant<V>(log2e_lo), mul_add(minus_abs, hi, minus_n));
  V power = constant<V>(delta_exp2_c[0]), p = constant<V>(delta_log1p_c[0]);
  KRAIT_UNROLL
  for (std::size_t i = 1; i < 8; ++i) power = mul_add(power, f, constant<V>(delta_exp2_c[i]));
  const V u = times_power_of_two(power, n_shifted);
  KRAIT_UNROLL
  for (std::size_t i = 1; i < 11; ++i) p = mul_add(p, u, constant<V>(delta_log1p_c[i]));
  return mul_add(p, u, clamp_below(constant<V>(0.0f), x));
}

// The factors alpha, beta and gamma of one token's recurrence, as head_factors_row computes them. Each is [heads], padded to a
// multiple of 16.
struct HeadFactors {
  float *alpha, *beta, *gamma;
};
// Replaces one token's dt by delta = softplus(dt + dt_bias), and computes the factors of its recurrence from dt, a and trap,
// which are outputs of in_proj, [heads] each. With A = -max(heavy_tail(a), A_floor):
//   alpha = e^(A delta);  beta = (1 - sigmoid(trap)) delta alpha;  gamma = sigmoid(trap) delta
// dt_bias and the factors are padded to a multiple of 16. dt, a and trap may be unaligned.
HWY_INLINE void head_factors_row(float* dt, const float* a, const float* trap, const float* dt_bias, float A_floor,
                                 const HeadFactors& out, std::size_t heads) {
  const V one = constant<V>(1.0f);
  for_each_vector(heads, [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const V delta = precise_softplus(add(load(dt + i), load_vector(dt_bias + i)));
    const V rate = load(a + i);
    // heavy_tail(a) is 1 + a for a >= 0, and 1 / (1 - a) for a < 0. It is computed as (1 + max(0, a)) / (1 + max(0, -a)).
    const V zero = hn::Zero(Tag{});
    const V above = add(one, clamp_below(zero, rate));
    const V heavy_tail = div(above, add(one, clamp_below(zero, neg(rate))));
    const V minus_A = clamp_below(constant<V>(A_floor), heavy_tail);
    const V alpha = exp2_decay(neg(mul(delta, mul(minus_A, constant<V>(log2e_hi)))));
    const V share = sigmoid(load(trap + i));
    store(delta, dt + i);
    store_vector(alpha, out.alpha + i);
    store_vector(mul(mul(sub(one, share), delta), alpha), out.beta + i);
    store_vector(mul(share, delta), out.gamma + i);
  });
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

// Advances the angles of one head by pi tanh(angle) delta, and computes their sines and cosines. `turns` contains the angles in
// units of 2^-32 turns, and tanh_angle, which may be unaligned, the values tanh(angle).
HWY_INLINE void advance_angles(std::uint32_t* turns, const float* tanh_angle, float delta, float* sine, float* cosine,
                               std::size_t angles) {
  const hn::RebindToUnsigned<Tag> word_tag;
  const V half_delta = constant<V>(0.5f * delta);
  alignas(64) std::uint32_t words[lanes];
  for_each_vector(angles, [&](std::size_t i, auto load, auto) KRAIT_LAMBDA {
    const std::size_t count = std::min(lanes, angles - i);
    std::memcpy(words, turns + i, count * sizeof(std::uint32_t));
    const auto sum = hn::Add(hn::Load(word_tag, words),
                             hn::BitCast(word_tag, whole_turns(mul(load(tanh_angle + i), half_delta))));
    hn::Store(sum, word_tag, words);
    std::memcpy(turns + i, words, count * sizeof(std::uint32_t));
    V s, c;
    sine_cosine(hn::BitCast(IntTag{}, sum), s, c);
    store_vector(s, sine + i);
    store_vector(c, cosine + i);
  });
}

// Computes out = rotate(v + bias) for one head and rank, where v is B or C [d_state]. For each i < angles, rotates two elements
// of v + bias by angle i: elements 2i and 2i + 1 if `pairwise` is true (SISO), otherwise elements i and i + d_state / 2 (MIMO).
// v may be unaligned; bias and out are padded to a multiple of 16.
template <bool pairwise>
HWY_INLINE void rotate_row(const float* v, const float* bias, const float* sine, const float* cosine, float* out,
                           std::size_t d_state, std::size_t angles) {
  for_each_vector(d_state, [&](std::size_t i, auto load, auto) KRAIT_LAMBDA {
    // The padding of out becomes 0, because `load` returns 0 for lanes beyond v[d_state - 1], and the padding of bias is 0.
    store_vector(add(load(v + i), load_vector(bias + i)), out + i);
  });
  for (std::size_t i = 0; i < angles; ++i) {
    const OneTag one;
    float& first = out[pairwise ? 2 * i : i];
    float& second = out[pairwise ? 2 * i + 1 : i + d_state / 2];
    const auto a = hn::Set(one, first), b = hn::Set(one, second), s = hn::Set(one, sine[i]), c = hn::Set(one, cosine[i]);
    first = hn::GetLane(mul_add(a, c, neg(mul(b, s))));
    second = hn::GetLane(mul_add(b, c, mul(a, s)));
  }
}

// Pointers to the data of one head for one token, where "last" means the previous token:
//   x, last_x      inputs [headdim] of this token and of the last token
//   k, last_k, q   k = rotate(B + B_bias) of this token and of the last token, and q = rotate(C + C_bias); [rank][d_state]
//   h, y           the state, and the outputs [rank][headdim]; y may be x
// All vectors are padded to a multiple of 16.
struct HeadToken {
  const float* x;
  float* last_x;
  const float *k, *last_k, *q;
  float *h, *y;
};

// Processes one token for m SIMD vectors of channels of one head, from channel c on: updates h, writes y and replaces last_x by
// x. The sums are computed by update_states, in this order:
//   h[n] = alpha h[n] + (beta v'[0]) k'[0][n] + (beta v'[1]) k'[1][n] + ... + (gamma v[0]) k[0][n] + ...
//   y[r] = D v[r] + q[r][0] h[0] + q[r][1] h[1] + ...
// alpha, beta and gamma are the head's `factors`. v[r] is x mimo_x[r], or x in a SISO block. v' and k' are v and k of the token
// before; k' is stored as last_k.
template <std::size_t rank, std::size_t m>
HWY_INLINE void rotary_scan_tile(const RotaryScan& s, std::size_t head, const float* factors, const HeadToken& at,
                                 std::size_t c) {
  const std::size_t wide = padded(s.headdim), states = padded(s.d_state);
  const V beta = constant<V>(factors[padded(s.heads) + head]), gamma = constant<V>(factors[2 * padded(s.heads) + head]);
  const V decay[1] = {constant<V>(factors[head])};
  V v[1][2 * rank][m], y[1][rank][m];
  const float *vectors[1][2 * rank], *q[1][rank];
  KRAIT_UNROLL
  for (std::size_t r = 0; r < rank; ++r) {
    vectors[0][r] = at.last_k + r * states;
    vectors[0][rank + r] = at.k + r * states;
    q[0][r] = at.q + r * states;
  }
  KRAIT_UNROLL
  for (std::size_t i = 0; i < m; ++i) {
    const std::size_t channel = c + i * lanes;
    const V x = load_vector(at.x + channel), last_x = load_vector(at.last_x + channel);
    store_vector(x, at.last_x + channel);
    KRAIT_UNROLL
    for (std::size_t r = 0; r < rank; ++r) {
      V new_v = x, last_v = last_x;
      if constexpr (rank > 1) {
        const V of_rank = load_vector(s.mimo_x + (head * rank + r) * wide + channel);
        new_v = mul(x, of_rank), last_v = mul(last_x, of_rank);
      }
      v[0][r][i] = mul(beta, last_v);
      v[0][rank + r][i] = mul(gamma, new_v);
      y[0][r][i] = mul(constant<V>(s.D[head]), new_v);
    }
  }
  update_states(decay, v, vectors, y, q, at.h + c / strip_width * strip_width * s.d_state + c % strip_width, s.d_state);
  KRAIT_UNROLL
  for (std::size_t r = 0; r < rank; ++r) {
    KRAIT_UNROLL
    for (std::size_t i = 0; i < m; ++i) store_vector(y[0][r][i], at.y + r * wide + c + i * lanes);
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

// Computes the recurrence of Mamba-3 for a run of tokens and the heads in `part`, and updates the states of these heads. y[r]
// is computed as in rotary_scan_tile; norm is the identity if s.norm is null. Overwrites x:
//   in a SISO block (rank 1)   with norm(y); the caller then multiplies norm(y) by the gate SiLU(z)
//   in a MIMO block            with the gated output, the sum over r of norm(y[r]) SiLU(z mimo_z[r]) mimo_o[r]
// `scratch` is working memory for one head; the heads use it one after the other.
template <std::size_t rank, class HeadScratch>
HWY_INLINE void rotary_scan(const RotaryScan& s, Range part, HeadScratch* scratch) {
  const std::size_t wide = padded(s.headdim), states = padded(s.d_state);
  constexpr std::size_t vectors = head_scan_vectors;
  // True if heads have no padding. Tiles then read x in place and, in a SISO block, write y over x. Otherwise they work on a
  // copy of x with padding.
  const bool aligned = s.headdim % strip_width == 0;
  for (std::size_t head = part.begin; head < part.end; ++head) {
    float* last_k = s.k + head * rank * states;
    for (std::size_t t = 0; t < s.tokens; ++t) {
      float* x = s.x[t] + head * s.headdim;
      advance_angles(s.turns + head * s.angles, s.angle[t], s.delta[t][head], scratch->sine.data(), scratch->cosine.data(),
                     s.angles);
      for (std::size_t r = 0; r < rank; ++r) {
        const std::size_t of_group = (r * s.ngroups + head / (s.heads / s.ngroups)) * s.d_state;
        const std::size_t of_head = (head * rank + r) * states;
        const auto rotate = [&](const float* v, const float* bias, float* out) KRAIT_LAMBDA {
          rotate_row<rank == 1>(v, bias, scratch->sine.data(), scratch->cosine.data(), out, s.d_state, s.angles);
        };
        rotate(s.B[t] + of_group, s.B_bias + of_head, scratch->k.data() + r * states);
        rotate(s.C[t] + of_group, s.C_bias + of_head, scratch->q.data() + r * states);
      }
      float* const copy = scratch->x.data();
      if (!aligned) copy_padded(x, copy, s.headdim);
      float* const y = rank > 1 ? scratch->y.data() : aligned ? x : copy;
      const HeadToken at{aligned ? x : copy,       s.last_x + head * wide, scratch->k.data(), last_k, scratch->q.data(),
                         s.h + head * wide * s.d_state, y};
      std::size_t c = 0;
      for (; c + vectors * lanes <= wide; c += vectors * lanes) rotary_scan_tile<rank, vectors>(s, head, s.factors[t], at, c);
      if constexpr (vectors * lanes > strip_width)
        for (; c < wide; c += strip_width) rotary_scan_tile<rank, 1>(s, head, s.factors[t], at, c);
      if (s.norm != nullptr)
        for (std::size_t r = 0; r < rank; ++r)
          rms_norm_row(y + r * wide, s.norm + head * s.headdim, nullptr, s.eps, y + r * wide, s.headdim);
      if constexpr (rank > 1) gate_head<rank>(s, head, s.z[t] + head * s.headdim, y, x);
      else if (!aligned) copy_floats(y, x, s.headdim);
      for (std::size_t r = 0; r < rank * states; r += states)
        for (std::size_t n = 0; n < s.d_state; n += lanes) store_vector(load_vector(scratch->k.data() + r + n), last_k + r + n);
    }
  }
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
