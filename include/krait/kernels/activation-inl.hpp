// Computes exp, SiLU, softplus, sigmoid, tanh and GELU by polynomials, without branches or tables, so that every target gives
// the same bits.
#if defined(KRAIT_KERNELS_ACTIVATION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ACTIVATION_INL_HPP
#undef KRAIT_KERNELS_ACTIVATION_INL_HPP
#else
#define KRAIT_KERNELS_ACTIVATION_INL_HPP
#endif

#include <array>

#include "krait/kernels/arm/cortex_m-inl.hpp"
#include "krait/kernels/simd-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns c[0] x^(n - 1) + c[1] x^(n - 2) + ... + c[n - 1] by Horner's rule, in n - 1 multiply-adds.
template <std::size_t n, class A>
HWY_INLINE A polynomial(const float (&c)[n], const A& x) {
  A sum = mul_add(constant<A>(c[0]), x, constant<A>(c[1]));
  KRAIT_UNROLL
  for (std::size_t i = 2; i < n; ++i) sum = mul_add(sum, x, constant<A>(c[i]));
  return sum;
}

// Returns 2^f for f in [-1/2, 1/2] by a minimax polynomial of degree 5, p(f) = c5 f^5 + ... + c1 f + c0. Its constant c0 is
// fixed at 1, so that 2^0 is exactly 1, and a state whose decay rate is 0 never changes. The relative error is at most 9.2e-8.
inline constexpr float exp2_c5 = 0.0013264912f, exp2_c4 = 0.009671511576f, exp2_c3 = 0.0555073313f,
                       exp2_c2 = 0.2402224208f, exp2_c1 = 0.693146978f, exp2_c0 = 1.0f;
template <class A>
HWY_INLINE A exp2_polynomial(const A& f) {
  A p = mul_add(constant<A>(exp2_c5), f, constant<A>(exp2_c4));
  p = mul_add(p, f, constant<A>(exp2_c3));
  p = mul_add(p, f, constant<A>(exp2_c2));
  p = mul_add(p, f, constant<A>(exp2_c1));
  return mul_add(p, f, constant<A>(exp2_c0));
}

// Returns 2^t for t <= 0. The recurrence multiplies its state by 2^t, with t = delta A log2(e). The relative error is at most
// 1.9e-7 for t >= -126. From t = -126 to t = -127 the result falls linearly from 2^-126 to 0, through denormal numbers; below
// -127 it is 0. NaN is propagated.
template <class A>
HWY_INLINE A exp2_decay(const A& t) {
  const A clamped = opaque(clamp_below(constant<A>(-127.0f), t));
  const A n_shifted = round_shifted(clamped);
  const A f = sub(clamped, sub(n_shifted, constant<A>(whole_shift)));
  return times_power_of_two(exp2_polynomial(f), n_shifted);
}

// exp_within_limit(x) returns e^x for |x| <= 87.3, where the result is a normal number. It computes e^x = 2^n 2^f, where n =
// round(x log2(e)) and f = x log2(e) - n. Because the rounding error of one product x log2(e) would be too large, the constant
// log2(e) is split into two floats, hi + lo, and f = fma(x, lo, fma(x, hi, -n)).
inline constexpr float exp_limit = 87.3f;
inline constexpr float log2e_hi = 1.44269502f, log2e_lo = 1.92596303e-8f;  // the two constants add up to log2(e)
template <class A>
HWY_INLINE A exp_within_limit(const A& x) {
  const auto hi = constant<A>(log2e_hi);
  const auto lo = constant<A>(log2e_lo);
  const A n_shifted = round_shifted(mul(x, hi));
  const A minus_n = sub(constant<A>(whole_shift), n_shifted);
  return times_power_of_two(exp2_polynomial(mul_add(x, lo, mul_add(x, hi, minus_n))), n_shifted);
}

// The largest errors of exp_negative, silu and softplus over all float32 numbers x, compared with double precision by
// tests/exact:
//              relative error, x >= -87.3     absolute error, x < -87.3
//   e^x                1.9e-7                      1.3e-38
//   SiLU               2.4e-7                      1.1e-36
//   softplus           2.8e-7                      1.3e-38
// On targets without FMA, relative errors are up to 3e-6. Results are denormal only if x is denormal. SiLU and softplus
// propagate NaN and infinity.

// Returns e^x for x <= 0. An x below -87.3 is replaced by -87.3. The result for NaN is unspecified.
template <class A>
HWY_INLINE A exp_negative(const A& x) {
  return exp_within_limit(clamp_below(constant<A>(-exp_limit), x));
}

// Returns SiLU(x) = x / (1 + e^-x). An x below -87.3 is replaced by -87.3.
template <class A>
HWY_INLINE A silu(const A& x) {
  const auto limit = constant<A>(-exp_limit);
  const A clamped = clamp_below(limit, x);
  return div(clamped, add(exp_within_limit(clamp_below(limit, neg(clamped))), constant<A>(1.0f)));
}

// add_log1p(u, base) returns base + log(1 + u) for u in [0, 1]. It computes log(1 + u) as u times a minimax polynomial of
// degree 8 in u, with an error of 3.4e-8. log1p_c contains the coefficients of the polynomial, highest power first.
inline constexpr float log1p_c[9] = {0.005364776123315096f, -0.03006560169160366f, 0.07920423150062561f,
                                     -0.13753777742385864f, 0.19153644144535065f,  -0.24857160449028015f,
                                     0.333213210105896f,    -0.49999648332595825f, 1.0f};
template <class A>
HWY_INLINE A add_log1p(const A& u, const A& base) {
  return mul_add(polynomial(log1p_c, u), u, base);
}

// Returns softplus(x) = log(1 + e^x), computed as max(x, 0) + log1p(e^-|x|).
template <class A>
HWY_INLINE A softplus(const A& x) {
  return add_log1p(exp_negative(neg(abs(x))), clamp_below(constant<A>(0.0f), x));
}

// The largest errors of the functions below over all float32 numbers x, compared with double precision by tests/exact:
//              relative error                absolute error
//   sigmoid          2.5e-7, x >= -87.3        1.3e-38, x < -87.3
//   tanh             2.6e-7, x >= -9.1         3e-8, x < -9.1
//   GELU (erf)       5.0e-7, x >= -13.1        1.3e-38, x < -13.1
//   GELU (tanh)      3.0e-7, x >= -1           6e-8, x < -1
// On targets without FMA, relative errors are up to 3e-6, and 8e-6 for GELU (erf). NaN is propagated. For infinities the
// results are the limits, within these errors: sigmoid, SiLU and GELU of -infinity are within 1e-35 of 0.

// Returns sigmoid(x) = 1 / (1 + e^-x). An x below -87.3 is replaced by -87.3.
template <class A>
HWY_INLINE A sigmoid(const A& x) {
  const auto limit = constant<A>(-exp_limit);
  const auto one = constant<A>(1.0f);
  const A minus_x = clamp_below(limit, neg(clamp_below(limit, x)));  // -x, limited to +-87.3
  // exp_within_limit may not propagate NaN. The product 0 * minus_x does: it is NaN if x is NaN, and otherwise adds nothing.
  return div(one, mul_add(minus_x, opaque(constant<A>(0.0f)), add(exp_within_limit(minus_x), one)));
}

// Returns tanh(x) = t / (t + 2), where t = e^2x - 1. An x beyond +-9.1, where tanh is +-1 in float32, is replaced by +-9.1.
// With n = round(2x log2(e)) and f = 2x log2(e) - n, t is 2^n q(f) + (2^n - 1), where q(f) = 2^f - 1. For a small x, n is 0 and
// t is q(f). q(f) is computed as f times a minimax polynomial of degree 5, with an error of 1.3e-8; expm1_c contains its
// coefficients, highest power first.
inline constexpr float tanh_limit = 9.1f;
inline constexpr float two_log2e_hi = 2.88539004f, two_log2e_lo = 3.85192607e-8f;  // the two constants add up to 2 log2(e)
inline constexpr float expm1_c[6] = {0.00015383657591883093f, 0.0013387389481067657f, 0.009618307463824749f,
                                     0.05550367385149002f,    0.24022649228572845f,   0.6931471824645996f};
template <class A>
HWY_INLINE A tanh(const A& x) {
  const auto limit = constant<A>(-tanh_limit);
  const auto one = constant<A>(1.0f);
  const auto hi = constant<A>(two_log2e_hi);
  const A clamped = neg(clamp_below(limit, neg(clamp_below(limit, x))));
  const A n_shifted = round_shifted(mul(clamped, hi));
  const A minus_n = sub(constant<A>(whole_shift), n_shifted);
  const A f = mul_add(clamped, constant<A>(two_log2e_lo), mul_add(clamped, hi, minus_n));
  const A power = times_power_of_two(one, n_shifted);
  const A t = mul_add(power, mul(polynomial(expm1_c, f), f), sub(power, one));
  return div(t, add(t, constant<A>(2.0f)));
}

// Returns GELU(x) = x Phi(x), where Phi is the cumulative normal distribution. It computes max(x, 0) - a Phi(-a) with a = |x|,
// two terms that do not cancel each other. Phi(-a) = e^(-a^2 / 2) t P(t), where t = 1 / (1 + 0.35 a) and P is a minimax
// polynomial of degree 8 with an error of 3.3e-8; gelu_c contains its coefficients, highest power first. In the exponent, a^2
// is computed as the sum of two floats. An a above 13.14 is replaced by 13.14.
inline constexpr float gelu_limit = 13.14f, gelu_slope = 0.35f;
inline constexpr float gelu_c[9] = {-0.029110174626111984f, 0.1437939703464508f,  -0.2553384602069855f,
                                    0.15873394906520844f,   -0.022798340767621994f, 0.10537213832139969f,
                                    0.11986841261386871f,   0.13985678553581238f,   0.13962170481681824f};
// The sum of these two constants is -log2(e) / 2.
inline constexpr float minus_half_log2e_hi = -0.721347511f, minus_half_log2e_lo = -9.62981517e-9f;
template <class A>
HWY_INLINE A gelu_erf(const A& x) {
  const auto one = constant<A>(1.0f);
  const auto hi = constant<A>(minus_half_log2e_hi);
  const A minus_a = clamp_below(constant<A>(-gelu_limit), neg(abs(x)));
  const A t = div(one, mul_add(minus_a, constant<A>(-gelu_slope), one));
  const A square = mul(minus_a, minus_a);
  const A rest = mul_add(minus_a, minus_a, neg(square));
  const A n_shifted = round_shifted(mul(square, hi));
  const A minus_n = sub(constant<A>(whole_shift), n_shifted);
  const A f = mul_add(rest, hi, mul_add(square, constant<A>(minus_half_log2e_lo), mul_add(square, hi, minus_n)));
  const A power = times_power_of_two(exp2_polynomial(f), n_shifted);
  return add(clamp_below(constant<A>(0.0f), x), mul(mul(minus_a, mul(t, polynomial(gelu_c, t))), power));
}

// Returns GELU's approximation by tanh, x / (1 + e^-v), where v = x (2 sqrt(2 / pi) + 2 sqrt(2 / pi) 0.044715 x^2). An x below
// -9.99 is replaced by -9.99.
inline constexpr float gelu_tanh_limit = 9.99f, gelu_tanh_linear = 1.59576917f, gelu_tanh_cubic = 0.0713548139f;
template <class A>
HWY_INLINE A gelu_tanh(const A& x) {
  const A clamped = clamp_below(constant<A>(-gelu_tanh_limit), x);
  const A slope = mul_add(mul(clamped, clamped), constant<A>(gelu_tanh_cubic), constant<A>(gelu_tanh_linear));
  const A minus_v = clamp_below(constant<A>(-exp_limit), neg(mul(clamped, slope)));
  const A denominator = add(exp_within_limit(minus_v), constant<A>(1.0f));
  return div(clamped, denominator);
}

// Returns function(x), where `function` selects the activation function.
template <ActivationFunction function, class A>
HWY_INLINE A activate(const A& x) {
  if constexpr (function == ActivationFunction::relu) return clamp_below(constant<A>(0.0f), x);
  else if constexpr (function == ActivationFunction::silu) return silu(x);
  else if constexpr (function == ActivationFunction::gelu_erf) return gelu_erf(x);
  else if constexpr (function == ActivationFunction::gelu_tanh) return gelu_tanh(x);
  else if constexpr (function == ActivationFunction::tanh) return tanh(x);
  else return sigmoid(x);
}

// Computes y = function(x) element by element, for n floats. y may be x.
template <ActivationFunction function>
HWY_INLINE void activation_row(const float* x, float* y, std::size_t n) {
  for_each_vector(n, [x, y](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    store(activate<function>(load(x + i)), y + i);
  });
}

#ifdef KRAIT_CORTEX_M_FPU
// Constants that the Cortex-M functions silu_in_fours and softplus_in_fours load, in the order in which they load them. Where
// the functions evaluate two or four polynomials side by side, a coefficient is repeated two or four times.
#ifdef KRAIT_CORTEX_M_HELIUM
inline constexpr float silu_table[9] = {-exp_limit, log2e_hi, log2e_lo, exp2_c5, exp2_c4, exp2_c3, exp2_c2, exp2_c1, exp2_c0};
inline constexpr auto softplus_table = [] {
  std::array<float, 9 + 4 * 9> all{exp_limit, log2e_hi, log2e_lo, exp2_c5, exp2_c4, exp2_c3, exp2_c2, exp2_c1, exp2_c0};
  for (std::size_t i = 0; i < 4 * 9; ++i) all[9 + i] = log1p_c[i / 4];
  return all;
}();
#else
inline constexpr float silu_table[14] = {exp2_c5, -exp_limit, log2e_hi, log2e_lo, exp2_c4, exp2_c4, exp2_c3,
                                         exp2_c3, exp2_c2,    exp2_c2,  exp2_c1,  exp2_c1, exp2_c0, exp2_c0};
inline constexpr auto softplus_table = [] {
  std::array<float, 14 + 1 + 2 * 8> all{exp2_c5, exp_limit, log2e_hi, log2e_lo, exp2_c4, exp2_c4, exp2_c3, exp2_c3,
                                        exp2_c2, exp2_c2,   exp2_c1,  exp2_c1,  exp2_c0, exp2_c0, log1p_c[0]};
  for (std::size_t i = 1; i < 17; ++i) all[14 + i] = log1p_c[(i + 1) / 2];
  return all;
}();
#endif
#endif

// Computes x = softplus(x) in place for one token's channels, a multiple of 16. The recurrences compute the step size delta =
// softplus(dt) with this function.
HWY_INLINE void softplus_row(float* row, std::size_t channels) {
#ifdef KRAIT_CORTEX_M_FPU
  softplus_in_fours(softplus_table.data(), row, channels);
#else
  for_each_group(channels, [row](auto k, std::size_t c) KRAIT_LAMBDA { store(softplus(load<k>(row + c)), row + c); });
#endif
}

// Computes the gate y = y * SiLU(z) in place for one token's channels, a multiple of 16.
HWY_INLINE void gate_row(float* y, const float* z, std::size_t channels) {
#ifdef KRAIT_CORTEX_M_FPU
  silu_in_fours<true>(silu_table, z, y, channels);
#else
  for_each_group(channels, [y, z](auto k, std::size_t c) KRAIT_LAMBDA {
    store(mul(load<k>(y + c), silu(load<k>(z + c))), y + c);
  });
#endif
}

KRAIT_END_TARGET

#endif
