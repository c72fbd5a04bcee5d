// Computes the rotations of Mamba-3 (arXiv 2603.15569): advances the angles of its heads, computes their sines and cosines, and
// rotates B and C.
#if defined(KRAIT_KERNELS_ROTATION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ROTATION_INL_HPP
#undef KRAIT_KERNELS_ROTATION_INL_HPP
#else
#define KRAIT_KERNELS_ROTATION_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"

KRAIT_BEGIN_TARGET

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
  const V s = mul(polynomial(sine_c, square), x), c = polynomial(cosine_c, square);
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

// Returns the number of neighbouring heads whose angles are computed in one vector: a head may have fewer angles than a vector
// of 8 or 16 lanes has lanes.
HWY_INLINE std::size_t heads_in_vector(std::size_t angles) {
  return lanes > 4 ? std::max(lanes / angles, std::size_t{1}) : 1;
}
// Lane i of a vector with the angles of several heads is angle number angle[i] of head number head[i].
struct AngleLanes {
  alignas(64) std::int32_t head[lanes], angle[lanes];
};
template <std::size_t angles>
inline constexpr AngleLanes angle_lanes = [] {
  AngleLanes of{};
  for (std::size_t i = 0; i < lanes; ++i) {
    of.head[i] = static_cast<std::int32_t>(i / angles);
    of.angle[i] = static_cast<std::int32_t>(i % angles);
  }
  return of;
}();
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
// Returns the vector [v[index[0]], v[index[1]], ...]. Highway's IndicesFromVec is not called, because its assertions need
// Highway's compiled library in a program that is compiled without optimisation.
HWY_INLINE V lookup(V v, const std::int32_t* index) {
  using Indices = decltype(hn::IndicesFromVec(Tag{}, hn::Zero(IntTag{})));
  return hn::TableLookupLanes(v, Indices{hn::Load(IntTag{}, index).raw});
}
#endif

// Advances the `used` angles at `turns`, in units of 2^-32 turns, by `step`, in turns, and computes their sines and cosines.
HWY_INLINE void advance_vector(std::uint32_t* turns, V step, std::size_t used, float* sine, float* cosine) {
  const hn::RebindToUnsigned<Tag> words;
  const auto advance = [&](auto old) KRAIT_LAMBDA { return hn::Add(old, hn::BitCast(words, whole_turns(step))); };
  auto sum = hn::Zero(words);
  if (lanes == 1 || used == lanes) {
    sum = advance(hn::LoadU(words, turns));
    hn::StoreU(sum, words, turns);
  } else {
    sum = advance(load_first(words, turns, used));
    store_first(sum, words, turns, used);
  }
  V s, c;
  sine_cosine(hn::BitCast(IntTag{}, sum), s, c);
  store_vector(s, sine);
  store_vector(c, cosine);
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
  const auto rotate = [&](auto tag, std::size_t i) KRAIT_LAMBDA {
    const auto s = hn::LoadU(tag, sine + i), c = hn::LoadU(tag, cosine + i);
    hn::Vec<decltype(tag)> a, b;
    if constexpr (pairwise) hn::LoadInterleaved2(tag, out + 2 * i, a, b);
    else a = hn::LoadU(tag, out + i), b = hn::LoadU(tag, out + i + d_state / 2);
    const auto first = mul_add(a, c, neg(mul(b, s))), second = mul_add(b, c, mul(a, s));
    if constexpr (pairwise) hn::StoreInterleaved2(first, second, tag, out + 2 * i);
    else hn::StoreU(first, tag, out + i), hn::StoreU(second, tag, out + i + d_state / 2);
  };
  // Most models have few angles, so vectors of four lanes are used on every target that has vectors.
  const hn::CappedTag<float, 4> four;
  std::size_t i = 0;
  for (; i + hn::Lanes(four) <= angles; i += hn::Lanes(four)) rotate(four, i);
  for (; i < angles; ++i) rotate(OneTag{}, i);
}

KRAIT_END_TARGET

#endif
