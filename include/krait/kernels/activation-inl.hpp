// exp, SiLU, softplus: our own polynomials, so that every target gives the same bits. No branch, no table.
#if defined(KRAIT_KERNELS_ACTIVATION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ACTIVATION_INL_HPP
#undef KRAIT_KERNELS_ACTIVATION_INL_HPP
#else
#define KRAIT_KERNELS_ACTIVATION_INL_HPP
#endif

#include "krait/kernels/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {

// 2^f for f in [-1/2, 1/2]: minimax of degree 5 with its constant fixed at 1, so that 2^0 is 1 and a state that should
// be kept is kept. Relative error of the polynomial 9.2e-8.
template <class Vec>
HWY_INLINE Vec exp2_polynomial(Vec f) {
  const hn::DFromV<Vec> tag;
  Vec p = hn::Set(tag, 0.0013264912f);
  p = mul_add(p, f, hn::Set(tag, 0.009671511576f));
  p = mul_add(p, f, hn::Set(tag, 0.0555073313f));
  p = mul_add(p, f, hn::Set(tag, 0.2402224208f));
  p = mul_add(p, f, hn::Set(tag, 0.693146978f));
  return mul_add(p, f, hn::Set(tag, 1.0f));
}

// p * 2^whole by adding to p's exponent; `bits` as round_to_whole hands them over.
template <class Vec, class Bits>
HWY_INLINE Vec times_power_of_two(Vec p, Bits bits) {
  const hn::DFromV<Vec> tag;
  const hn::RebindToSigned<decltype(tag)> int_tag;
  return hn::BitCast(tag, hn::Add(hn::BitCast(int_tag, p), hn::ShiftLeft<23>(bits)));
}

// 2^t for t <= 0: what the recurrence multiplies its state with, t = delta A log2(e). Below -126, and for NaN where the
// target's clamp gives so, 2^-126.
template <class Vec>
HWY_INLINE Vec exp2_decay(Vec t) {
  const hn::DFromV<Vec> tag;
  t = opaque(clamp_below(hn::Set(tag, -126.0f), t));
  const auto whole = round_to_whole(t);
  return times_power_of_two(exp2_polynomial(hn::Sub(t, whole.value)), whole.bits);
}

// e^x * 2^32 for -109 <= x <= 0. The factor keeps results down to the smallest denormal of e^x normal here, so that the
// caller's multiplication by 2^-32 rounds once. x log2(e) is split as fma(x, hi, -n) + x lo: no rounding of the product
// reaches the result.
inline constexpr float two_to_minus_32 = 0x1p-32f;
template <class Vec>
HWY_INLINE Vec exp_scaled(Vec x) {
  const hn::DFromV<Vec> tag;
  const hn::RebindToSigned<decltype(tag)> int_tag;
  const Vec hi = hn::Set(tag, 1.44269502f);  // log2(e) = hi + lo
  const Vec lo = hn::Set(tag, 1.92596303e-8f);
  const auto whole = round_to_whole(opaque(hn::Mul(x, hi)));
  const Vec f = mul_add(x, lo, mul_add(x, hi, hn::Neg(whole.value)));
  return times_power_of_two(exp2_polynomial(f), hn::Add(whole.bits, hn::Set(int_tag, 32)));
}

// Below this, e^x is less than half of the smallest denormal: 0.
inline constexpr float exp_floor = -109.0f;

// e^x for x <= 0. Relative error at most EXP_BOUND where the result is a normal number, below that at most half of the
// smallest denormal more; NaN gives NaN. For x > 0 the result is e^-x's reciprocal's place-holder: not for use.
template <class Vec>
HWY_INLINE Vec exp_negative(Vec x) {
  const hn::DFromV<Vec> tag;
  return hn::Mul(exp_scaled(clamp_below(hn::Set(tag, exp_floor), x)), hn::Set(tag, two_to_minus_32));
}

// SiLU: x / (1 + e^-x).
template <class Vec>
HWY_INLINE Vec silu(Vec x) {
  const hn::DFromV<Vec> tag;
  const Vec one = hn::Set(tag, 1.0f);
  const Vec scale = hn::Set(tag, two_to_minus_32);
  x = clamp_below(hn::Set(tag, exp_floor), x);  // below: -0
  const Vec e = exp_scaled(clamp_below(hn::Set(tag, exp_floor), hn::Neg(hn::Abs(x))));
  const Vec ratio = hn::Div(x, mul_add(e, scale, one));  // x / (1 + e^-|x|)
  // for x < 0 the other form of the logistic function, e^-|x| / (1 + e^-|x|)
  const auto negative = hn::Lt(x, hn::Zero(tag));
  return hn::Mul(hn::Mul(ratio, hn::IfThenElse(negative, e, one)), hn::IfThenElse(negative, scale, one));
}

// log1p(u) for u in [0, 1]: u times a minimax polynomial of degree 8 (3.4e-8), added to `base`.
template <class Vec>
HWY_INLINE Vec add_log1p(Vec u, Vec base) {
  const hn::DFromV<Vec> tag;
  Vec p = hn::Set(tag, 0.005364776123315096f);
  p = mul_add(p, u, hn::Set(tag, -0.03006560169160366f));
  p = mul_add(p, u, hn::Set(tag, 0.07920423150062561f));
  p = mul_add(p, u, hn::Set(tag, -0.13753777742385864f));
  p = mul_add(p, u, hn::Set(tag, 0.19153644144535065f));
  p = mul_add(p, u, hn::Set(tag, -0.24857160449028015f));
  p = mul_add(p, u, hn::Set(tag, 0.333213210105896f));
  p = mul_add(p, u, hn::Set(tag, -0.49999648332595825f));
  p = mul_add(p, u, hn::Set(tag, 1.0f));
  return mul_add(p, u, base);
}

// softplus: max(x, 0) + log1p(e^-|x|).
template <class Vec>
HWY_INLINE Vec softplus(Vec x) {
  const hn::DFromV<Vec> tag;
  return add_log1p(exp_negative(hn::Neg(hn::Abs(x))), clamp_below(hn::Zero(tag), x));
}

// delta = softplus(dt) in place over a row of whole blocks.
HWY_INLINE void softplus_row(float* HWY_RESTRICT row, std::size_t channels) {
  const Tag tag;
  for (std::size_t c = 0; c < channels; c += lanes) hn::Store(softplus(hn::Load(tag, row + c)), tag, row + c);
}

// y = y * SiLU(z) in place over a row of whole blocks.
HWY_INLINE void gate_row(float* HWY_RESTRICT y, const float* HWY_RESTRICT z, std::size_t channels) {
  const Tag tag;
  for (std::size_t c = 0; c < channels; c += lanes)
    hn::Store(hn::Mul(hn::Load(tag, y + c), silu(hn::Load(tag, z + c))), tag, y + c);
}

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
