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

// 2^t for t <= -0, within 1.9e-7 relative, which is what the recurrence multiplies its state with: t = delta A log2(e). 2^-126 for t below -126.
// t has its sign bit set, so the larger number has the smaller bits: the clamp is an integer's, off the busy ports.
template <class Vec>
HWY_INLINE Vec exp2_decay(Vec t) {
  const hn::DFromV<Vec> tag;
  const hn::RebindToUnsigned<decltype(tag)> bits_tag;
  t = opaque(hn::BitCast(tag, hn::Min(hn::BitCast(bits_tag, t), hn::Set(bits_tag, 0xC2FC0000u))));  // -126.0f
  const auto whole = round_to_whole(t);
  return times_power_of_two(exp2_polynomial(hn::Sub(t, whole.value)), whole.bits);
}

// e^x for |x| <= 87.3: the limits within which it is a normal number. x log2(e) is split as fma(x, hi, -n) + x lo, so that
// no rounding of the product reaches the result.
inline constexpr float exp_limit = 87.3f;
template <class Vec>
HWY_INLINE Vec exp_within_limit(Vec x) {
  const hn::DFromV<Vec> tag;
  const Vec hi = hn::Set(tag, 1.44269502f);  // log2(e) = hi + lo
  const Vec lo = hn::Set(tag, 1.92596303e-8f);
  const auto whole = round_to_whole(opaque(hn::Mul(x, hi)));
  const Vec f = mul_add(x, lo, mul_add(x, hi, hn::Neg(whole.value)));
  return times_power_of_two(exp2_polynomial(f), whole.bits);
}

// Measured over every float32 against double (tests/exact); without FMA the relative errors are up to 3e-6.
//              relative error, x >= -87.3     absolute error below
//   e^x                1.9e-7                      1.3e-38
//   SiLU               2.4e-7                      1.1e-36
//   softplus           2.7e-7                      1.3e-38
// No result is denormal unless x is; NaN and infinity of x go through SiLU and softplus.

// e^x for x <= 0. NaN is the caller's matter.
template <class Vec>
HWY_INLINE Vec exp_negative(Vec x) {
  const hn::DFromV<Vec> tag;
  return exp_within_limit(clamp_below(hn::Set(tag, -exp_limit), x));
}

// SiLU: x / (1 + e^-x).
template <class Vec>
HWY_INLINE Vec silu(Vec x) {
  const hn::DFromV<Vec> tag;
  x = clamp_below(hn::Set(tag, -exp_limit), x);
  const Vec e = exp_within_limit(clamp_below(hn::Set(tag, -exp_limit), hn::Neg(x)));
  return hn::Div(x, hn::Add(e, hn::Set(tag, 1.0f)));
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
