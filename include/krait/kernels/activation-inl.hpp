// Computes exp, SiLU and softplus by polynomials, without branches or tables, so that every target gives the same bits.
#if defined(KRAIT_KERNELS_ACTIVATION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ACTIVATION_INL_HPP
#undef KRAIT_KERNELS_ACTIVATION_INL_HPP
#else
#define KRAIT_KERNELS_ACTIVATION_INL_HPP
#endif

#include <array>

#include "krait/kernels/arm/cortex_m-inl.hpp"
#include "krait/kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// Returns 2^f for f in [-1/2, 1/2] by a minimax polynomial of degree 5, p(f) = c5 f^5 + ... + c1 f + c0. Its constant c0 is
// fixed at 1, so that 2^0 is exactly 1: a state whose decay rate is 0 never changes. The relative error is at most 9.2e-8.
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

// Returns 2^t for t <= -0, the decay of the recurrence's state, where t = delta A log2(e). The relative error is at most 1.9e-7
// for t >= -126. From t = -126 to t = -127 the result falls linearly from 2^-126 to 0, through denormal numbers; below -127 it
// is 0. NaN is propagated.
template <class A>
HWY_INLINE A exp2_decay(const A& t) {
  const A clamped = opaque(clamp_below(constant<A>(-127.0f), t));
  const A n_shifted = round_shifted(clamped);
  const A f = sub(clamped, sub(n_shifted, constant<A>(whole_shift)));
  return times_power_of_two(exp2_polynomial(f), n_shifted);
}

// exp_within_limit(x) returns e^x = 2^n 2^f for |x| <= 87.3, where the result is a normal number: n = round(x log2(e)) and f =
// x log2(e) - n. The constant log2(e) is the sum of two floats, and f = fma(x, lo, fma(x, hi, -n)), because a single product x
// log2(e) would have a rounding error that is too large.
inline constexpr float exp_limit = 87.3f;
inline constexpr float log2e_hi = 1.44269502f, log2e_lo = 1.92596303e-8f;  // the sum of both is log2(e)
template <class A>
HWY_INLINE A exp_within_limit(const A& x) {
  const auto hi = constant<A>(log2e_hi);
  const auto lo = constant<A>(log2e_lo);
  const A n_shifted = round_shifted(mul(x, hi));
  const A minus_n = sub(constant<A>(whole_shift), n_shifted);
  return times_power_of_two(exp2_polynomial(mul_add(x, lo, mul_add(x, hi, minus_n))), n_shifted);
}

// The largest errors of exp_negative, silu and softplus over all float32 numbers x, against double (tests/exact):
//              relative error, x >= -87.3     absolute error, x < -87.3
//   e^x                1.9e-7                      1.3e-38
//   SiLU               2.4e-7                      1.1e-36
//   softplus           2.8e-7                      1.3e-38
// On targets without FMA, relative errors are up to 3e-6. Results are denormal only if x is. SiLU and softplus propagate NaN
// and infinity.

// Returns e^x for x <= 0. An x below -87.3 counts as -87.3. Callers must not rely on the result for NaN.
template <class A>
HWY_INLINE A exp_negative(const A& x) {
  return exp_within_limit(clamp_below(constant<A>(-exp_limit), x));
}

// Returns SiLU(x) = x / (1 + e^-x). An x below -87.3 counts as -87.3.
template <class A>
HWY_INLINE A silu(const A& x) {
  const auto limit = constant<A>(-exp_limit);
  const A clamped = clamp_below(limit, x);
  return div(clamped, add(exp_within_limit(clamp_below(limit, neg(clamped))), constant<A>(1.0f)));
}

// add_log1p(u, base) returns base + log(1 + u) for u in [0, 1]. log(1 + u) is u times a minimax polynomial of degree 8 in u
// with an error of 3.4e-8; log1p_c contains its coefficients, highest power first.
inline constexpr float log1p_c[9] = {0.005364776123315096f, -0.03006560169160366f, 0.07920423150062561f,
                                     -0.13753777742385864f, 0.19153644144535065f,  -0.24857160449028015f,
                                     0.333213210105896f,    -0.49999648332595825f, 1.0f};
template <class A>
HWY_INLINE A add_log1p(const A& u, const A& base) {
  A p = mul_add(constant<A>(log1p_c[0]), u, constant<A>(log1p_c[1]));
  KRAIT_UNROLL
  for (std::size_t i = 2; i < 9; ++i) p = mul_add(p, u, constant<A>(log1p_c[i]));
  return mul_add(p, u, base);
}

// Returns softplus(x) = log(1 + e^x), computed as max(x, 0) + log1p(e^-|x|).
template <class A>
HWY_INLINE A softplus(const A& x) {
  return add_log1p(exp_negative(neg(abs(x))), clamp_below(constant<A>(0.0f), x));
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

// Computes x = softplus(x) in place for one token's channels, a multiple of 16. It turns dt into delta, the scan's step size.
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

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
