// Arithmetic on vectors with rounding that is the same on every target, loads and stores. Per target.
#if defined(KRAIT_KERNELS_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_SIMD_INL_HPP
#undef KRAIT_KERNELS_SIMD_INL_HPP
#else
#define KRAIT_KERNELS_SIMD_INL_HPP
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "krait/kernels/target-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// Several vectors that go through the same arithmetic side by side. A function on them is k interleaved chains, operation
// by operation, which is what keeps a core's pipes full: one long polynomial after the other does not (the scan takes 1.14
// times as long). All arithmetic below takes a vector or Several, and single vectors as operands for all of them.
template <class Vec, std::size_t k>
struct Several {
  Vec v[k];
};
template <class T>
inline constexpr std::size_t count_of = 1;
template <class Vec, std::size_t k>
inline constexpr std::size_t count_of<Several<Vec, k>> = k;
template <class Vec>
HWY_INLINE const Vec& nth(const Vec& all, std::size_t) {
  return all;
}
template <class Vec, std::size_t k>
HWY_INLINE const Vec& nth(const Several<Vec, k>& all, std::size_t i) {
  return all.v[i];
}
template <class T>
struct OneOfMany {
  using type = T;
};
template <class Vec, std::size_t k>
struct OneOfMany<Several<Vec, k>> {
  using type = Vec;
};

// f(0), f(1), ..., f(k - 1) as Several; f(0) alone for k = 1. Written without a loop, or gcc keeps the array in memory.
template <std::size_t... i, class F>
HWY_INLINE auto several_of(std::index_sequence<i...>, F f) {
  if constexpr (sizeof...(i) == 1) return f(0);
  else return Several<decltype(f(0)), sizeof...(i)>{{f(i)...}};
}
template <std::size_t k, class F>
HWY_INLINE auto several(F f) {
  return several_of(std::make_index_sequence<k>{}, f);
}

// f of the vectors, or of each of the Several in turn.
template <class F, class... Args>
HWY_INLINE auto each(F f, const Args&... args) {
  return several<std::max({count_of<Args>...})>([&](std::size_t i) KRAIT_LAMBDA { return f(nth(args, i)...); });
}

// A constant for a function on T, a vector or Several.
template <class T>
HWY_INLINE auto constant(float value) {
  return hn::Set(hn::DFromV<typename OneOfMany<T>::type>{}, value);
}

// The same for vectors. The results of add, sub, mul and div are opaque, so flags such as -fassociative-math do not change
// bits. Code that needs the same bits everywhere computes with these functions, not with operators or Highway's functions.
using krait::opaque;
template <class A>
HWY_INLINE A opaque(const A& v) {
  return each(
      [](auto x) KRAIT_LAMBDA {
#if HWY_TARGET == HWY_SCALAR
        x.raw = opaque(x.raw);
#elif HWY_TARGET == HWY_EMU128
        asm("" : "+m"(x.raw));
#elif HWY_ARCH_X86
        asm("" : "+v"(x.raw));
#elif HWY_ARCH_ARM
        asm("" : "+w"(x.raw));
#endif
        return x;
      },
      v);
}

template <class A, class B>
HWY_INLINE auto add(const A& a, const B& b) {
  return opaque(each([](auto x, auto y) KRAIT_LAMBDA { return hn::Add(x, y); }, a, b));
}
template <class A, class B>
HWY_INLINE auto sub(const A& a, const B& b) {
  return opaque(each([](auto x, auto y) KRAIT_LAMBDA { return hn::Sub(x, y); }, a, b));
}
template <class A, class B>
HWY_INLINE auto mul(const A& a, const B& b) {
  return opaque(each([](auto x, auto y) KRAIT_LAMBDA { return hn::Mul(x, y); }, a, b));
}

// a / b, rounded once. clang replaces one division, too, by an estimate (-freciprocal-math) unless the operator itself is
// compiled precisely; clang has no such pragma for 32-bit Arm, nor estimates there. armv7 has no exact division.
#if defined(__clang__) && (HWY_ARCH_X86 || HWY_ARCH_ARM_A64)
#pragma float_control(push)
#pragma float_control(precise, on)
#endif
template <class Vec>
HWY_INLINE Vec div_one(Vec a, Vec b) {
#if HWY_TARGET == HWY_EMU128
  for (std::size_t i = 0; i < hn::MaxLanes(hn::DFromV<Vec>{}); ++i) a.raw[i] /= b.raw[i];
  return a;
#elif HWY_TARGET == HWY_SCALAR || HWY_ARCH_X86 || HWY_ARCH_ARM_A64
  a.raw = a.raw / b.raw;
  return a;
#else
  return hn::Div(a, b);
#endif
}
HWY_INLINE float div_one(float a, float b) { return a / b; }
#if defined(__clang__) && (HWY_ARCH_X86 || HWY_ARCH_ARM_A64)
#pragma float_control(pop)
#endif
template <class A, class B>
HWY_INLINE auto div(const A& a, const B& b) {
  return opaque(each([](auto x, auto y) KRAIT_LAMBDA { return div_one(x, opaque(y)); }, a, b));
}
template <class A>
HWY_INLINE auto neg(const A& a) {
  return each(
      [](auto x) KRAIT_LAMBDA {
#if HWY_TARGET == HWY_SCALAR
        return decltype(x)(-x.raw);  // Highway flips the sign as an integer: two moves more on a core with an FPU
#else
        return hn::Neg(x);
#endif
      },
      a);
}
template <class A>
HWY_INLINE auto abs(const A& a) {
  return each([](auto x) KRAIT_LAMBDA { return hn::Abs(x); }, a);
}
template <class A, class B, class C>
HWY_INLINE auto mul_add(const A& a, const B& b, const C& c) {
  return each([](auto x, auto y, auto z) KRAIT_LAMBDA { return mul_add_one(x, y, z); }, a, b, c);
}

// Zero, from which sums start. With -fno-signed-zeros clang replaces a b + 0 by a b, which can be -0, unless zero is opaque.
HWY_INLINE V zero_start() {
#ifdef __clang__
  return opaque(hn::Zero(Tag{}));
#else
  return hn::Zero(Tag{});
#endif
}

// v, held in a register from here on: gcc would rather load it again with each instruction that uses it, and a register
// tile then waits for loads.
HWY_INLINE V in_register(V v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  asm("" : "+v"(v.raw));
#endif
  return v;
}

// The larger of limit and v; NaN in v goes through. (Highway's Max gives either argument for NaN, by target.)
template <class Limit, class A>
HWY_INLINE auto clamp_below(const Limit& limit, const A& v) {
  return each(
      [](auto low, auto x) KRAIT_LAMBDA {
#if HWY_TARGET == HWY_SCALAR
        return decltype(x)(x.raw < low.raw ? low.raw : x.raw);
#elif HWY_TARGET != HWY_EMU128 && HWY_ARCH_X86
        return hn::Max(low, x);  // maxps gives its second operand where either is NaN
#else
        return hn::IfThenElse(hn::Lt(x, low), low, x);
#endif
      },
      limit, v);
}

// t, |t| < 2^21, rounded to a whole number n (ties to even), as n + 1.5 * 2^23: in the low end of that number's bits n
// stands as an integer. Two additions where Highway's Round is one instruction or, on a Cortex-M4, a dozen with branches.
inline constexpr float whole_shift = 12582912.0f;  // 1.5 * 2^23
template <class A>
HWY_INLINE A round_shifted(const A& t) {
  return add(t, constant<A>(whole_shift));
}

// p * 2^n by adding to p's exponent; n as round_shifted gives it.
template <class A>
HWY_INLINE A times_power_of_two(const A& p, const A& n_shifted) {
  return each(
      [](auto x, auto n) KRAIT_LAMBDA {
        const hn::DFromV<decltype(x)> tag;
        const hn::RebindToSigned<decltype(tag)> int_tag;
        return hn::BitCast(tag, hn::Add(hn::BitCast(int_tag, x), hn::ShiftLeft<23>(hn::BitCast(int_tag, n))));
      },
      p, n_shifted);
}

// An aligned vector from memory, and back. Highway copies bytes on SCALAR, which a Cortex-M takes through its core
// registers and a RISC-V byte by byte.
HWY_INLINE V load_vector(const float* from) {
#if HWY_TARGET == HWY_SCALAR
  return V(*from);
#else
  return hn::Load(Tag{}, from);
#endif
}
HWY_INLINE void store_vector(V v, float* to) {
#if HWY_TARGET == HWY_SCALAR
  *to = v.raw;
#else
  hn::Store(v, Tag{}, to);
#endif
}

// The same of rows that may begin anywhere.
HWY_INLINE V load_unaligned(const float* from) {
#if HWY_TARGET == HWY_SCALAR
  return V(*from);
#else
  return hn::LoadU(Tag{}, from);
#endif
}
HWY_INLINE void store_unaligned(V v, float* to) {
#if HWY_TARGET == HWY_SCALAR
  *to = v.raw;
#else
  hn::StoreU(v, Tag{}, to);
#endif
}

// k vectors from `from` on, and back.
template <std::size_t k>
HWY_INLINE auto load(const float* from) {
  return several<k>([from](std::size_t i) KRAIT_LAMBDA { return load_vector(from + i * lanes); });
}
template <class A>
HWY_INLINE void store(const A& all, float* to) {
  KRAIT_UNROLL
  for (std::size_t i = 0; i < count_of<A>; ++i) store_vector(nth(all, i), to + i * lanes);
}

// How many vectors element-wise functions take side by side, and the loop over a row of whole blocks of 16 that does so:
// f(k, c) with k an integral_constant, for the k vectors from channel c on.
inline constexpr bool few_registers = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3;  // 16, not 32
inline constexpr std::size_t side_by_side = few_registers ? 2 : 4;
template <class F>
HWY_INLINE void for_each_group(std::size_t channels, F f) {
  std::size_t c = 0;
  for (; c + side_by_side * lanes <= channels; c += side_by_side * lanes)
    f(std::integral_constant<std::size_t, side_by_side>{}, c);
  if constexpr (strip_width % (side_by_side * lanes) != 0)
    for (; c < channels; c += lanes) f(std::integral_constant<std::size_t, 1>{}, c);
}

// for_each_vector(n, f): f(i, load, store) for the vectors of n floats, i = 0, lanes, ... load and store move a vector of
// which only what lies within n is touched: the rest is read as 0 and not written. Rows need no padding.
template <class F>
HWY_INLINE void for_each_vector(std::size_t n, F f) {
  const Tag tag;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    f(i, [](const float* from) KRAIT_LAMBDA { return load_unaligned(from); },
      [](V v, float* to) KRAIT_LAMBDA { store_unaligned(v, to); });
  if (lanes == 1 || i == n) return;
  const std::size_t left = n - i;
  f(i,
    [tag, left](const float* from) KRAIT_LAMBDA {
      alignas(64) float all[lanes] = {};
      std::memcpy(all, from, left * sizeof(float));
      return hn::Load(tag, all);
    },
    [tag, left](V v, float* to) KRAIT_LAMBDA {
      alignas(64) float all[lanes];
      hn::Store(v, tag, all);
      std::memcpy(to, all, left * sizeof(float));
    });
}

// n floats from `from` to `to`, zeros behind them up to a whole block.
HWY_INLINE void copy_padded(const float* from, float* to, std::size_t n) {
  std::memcpy(to, from, n * sizeof(float));
  std::memset(to + n, 0, (padded(n) - n) * sizeof(float));
}

// n floats from `from` to `to`.
HWY_INLINE void copy_floats(const float* from, float* to, std::size_t n) { std::memcpy(to, from, n * sizeof(float)); }

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
