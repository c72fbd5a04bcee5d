// Defines arithmetic on SIMD vectors that rounds the same way on every target, and functions that load and store vectors.
// Highway includes this file once for each target.
#if defined(KRAIT_KERNELS_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_SIMD_INL_HPP
#undef KRAIT_KERNELS_SIMD_INL_HPP
#else
#define KRAIT_KERNELS_SIMD_INL_HPP
#endif

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "krait/kernels/target-inl.hpp"

KRAIT_BEGIN_TARGET

// Several<Vec, k> contains k SIMD vectors. The arithmetic functions below, such as add and mul_add, take single vectors or
// Several: they apply the same operation to each of the k vectors, and combine a single vector with each vector of a Several. A
// polynomial of a Several compiles to k interleaved sequences of instructions, so that one sequence runs during the latency of
// the others. With k polynomials computed one after the other, the scan takes 1.14 times as long.
template <class Vec, std::size_t k>
struct Several {
  Vec v[k];
};
// count_of<T> is the number of vectors in T: k for Several<Vec, k>, and 1 for a single vector.
template <class T>
inline constexpr std::size_t count_of = 1;
template <class Vec, std::size_t k>
inline constexpr std::size_t count_of<Several<Vec, k>> = k;
// nth(vectors, i) returns vector i of a Several. If `vectors` is a single vector, nth returns this vector for every i.
template <class Vec>
HWY_INLINE const Vec& nth(const Vec& all, std::size_t) {
  return all;
}
template <class Vec, std::size_t k>
HWY_INLINE const Vec& nth(const Several<Vec, k>& all, std::size_t i) {
  return all.v[i];
}
// OneOfMany<T>::type is Vec if T is Several<Vec, k>, and T itself if T is the type of a single vector.
template <class T>
struct OneOfMany {
  using type = T;
};
template <class Vec, std::size_t k>
struct OneOfMany<Several<Vec, k>> {
  using type = Vec;
};

// several<k>(f) returns the vectors f(0), f(1), ..., f(k - 1) as a Several, or f(0) alone if k is 1. The calls of f are not
// written as a loop, because gcc would then keep the vectors in memory instead of registers.
template <std::size_t... i, class F>
HWY_INLINE auto several_of(std::index_sequence<i...>, F f) {
  if constexpr (sizeof...(i) == 1) return f(0);
  else return Several<decltype(f(0)), sizeof...(i)>{{f(i)...}};
}
template <std::size_t k, class F>
HWY_INLINE auto several(F f) {
  return several_of(std::make_index_sequence<k>{}, f);
}

// each(f, args...) calls f once if all arguments are single vectors. If some arguments are Several<Vec, k>, it calls f k times:
// call i gets vector i of each Several, and every single vector unchanged. Returns the results as a single vector or as
// Several.
template <class F, class... Args>
HWY_INLINE auto each(F f, const Args&... args) {
  return several<std::max({count_of<Args>...})>([&](std::size_t i) KRAIT_LAMBDA { return f(nth(args, i)...); });
}

// constant<T>(value) returns a SIMD vector with all lanes set to `value`. T is a vector type V or
// Several<V, k>; the result is a single V for either T.
template <class T>
HWY_INLINE auto constant(float value) {
  return hn::Set(hn::DFromV<typename OneOfMany<T>::type>{}, value);
}

// opaque(v) returns v, a vector or Several, as values that the compiler cannot trace back to the operation that computed them.
// The results of add, sub, mul and div are opaque, so that flags such as -fassociative-math do not change bits. Code that must
// give the same bits on every target uses add, sub, mul and div instead of operators or Highway's functions.
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
  return opaque(each(
      [](auto x, auto y) KRAIT_LAMBDA {
#if HWY_TARGET == HWY_SCALAR
        return decltype(x)(x.raw * y.raw);  // hn::Mul multiplies doubles, which clang at -O0 does in library calls
#else
        return hn::Mul(x, y);
#endif
      },
      a, b));
}

// Returns a / b, correctly rounded on all targets except armv7, whose NEON unit has no exact division. The pragma
// float_control(precise) keeps clang from replacing the division by an estimate with -freciprocal-math. For 32-bit Arm, clang
// has neither the pragma nor such an estimate.
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
        return decltype(x)(-x.raw);  // hn::Neg would move x to an integer register and back to flip the sign
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

// Returns the zero vector with which a sum of products starts. It is opaque for clang, which with -fno-signed-zeros would
// otherwise replace a * b + 0 by a * b, and so return -0 instead of 0.
HWY_INLINE V zero_start() {
#ifdef __clang__
  return opaque(hn::Zero(Tag{}));
#else
  return hn::Zero(Tag{});
#endif
}

// Returns v and forces it into a register. Without this function, gcc loads v from memory again in each instruction that uses
// it, and the loads limit the speed of a register tile.
HWY_INLINE V in_register(V v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  asm("" : "+v"(v.raw));
#endif
  return v;
}

// Returns the larger of `limit` and v in each lane, or NaN where v is NaN. Highway's Max alone is not enough: if one argument
// is NaN, it depends on the target which of the two arguments Max returns.
template <class Limit, class A>
HWY_INLINE auto clamp_below(const Limit& limit, const A& v) {
  return each(
      [](auto low, auto x) KRAIT_LAMBDA {
#if HWY_TARGET == HWY_SCALAR
        return decltype(x)(x.raw < low.raw ? low.raw : x.raw);
#elif HWY_TARGET != HWY_EMU128 && HWY_ARCH_X86
        return hn::Max(low, x);  // compiles to maxps, which returns its second operand x if either operand is NaN
#else
        return hn::IfThenElse(hn::Lt(x, low), low, x);
#endif
      },
      limit, v);
}

// round_shifted(t) returns n + 1.5 * 2^23, where n is t rounded to the nearest integer (ties to even), for |t| < 2^21. It adds
// 1.5 * 2^23 to t, which rounds t because a float of this size has no fraction bits. The low bits of the returned float are n
// as an integer, and subtracting whole_shift from it gives n as a float. Highway's Round is not used, because it takes a dozen
// instructions with branches on a Cortex-M4.
inline constexpr float whole_shift = 12582912.0f;  // 1.5 * 2^23; adding it rounds a small float to an integer
template <class A>
HWY_INLINE A round_shifted(const A& t) {
  return add(t, constant<A>(whole_shift));
}

// Returns p * 2^n, computed by adding n to the exponent bits of p. n_shifted is n + 1.5 * 2^23, as round_shifted returns it.
// The result is exact if it is a normal number.
template <class P, class A>
HWY_INLINE A times_power_of_two(const P& p, const A& n_shifted) {
  return each(
      [](auto x, auto n) KRAIT_LAMBDA {
        const hn::DFromV<decltype(x)> tag;
        const hn::RebindToSigned<decltype(tag)> int_tag;
        return hn::BitCast(tag, hn::Add(hn::BitCast(int_tag, x), hn::ShiftLeft<23>(hn::BitCast(int_tag, n))));
      },
      p, n_shifted);
}

// load_vector and store_vector load and store one aligned vector. On the target SCALAR, they load and store a float. Highway's
// functions would copy its bytes there, for which compilers use integer registers on a Cortex-M, and one instruction for each
// byte on RISC-V.
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

// load_unaligned and store_unaligned load and store one vector at an address that is aligned only to the size of a float.
HWY_INLINE V load_unaligned(const float* from) { return lanes == 1 ? load_vector(from) : hn::LoadU(Tag{}, from); }
HWY_INLINE void store_unaligned(V v, float* to) {
  if (lanes == 1) store_vector(v, to);
  else hn::StoreU(v, Tag{}, to);
}

// load<k>(from) loads k consecutive aligned vectors, and store(vectors, to) stores a vector or Several to consecutive
// addresses.
template <std::size_t k>
HWY_INLINE auto load(const float* from) {
  return several<k>([from](std::size_t i) KRAIT_LAMBDA { return load_vector(from + i * lanes); });
}
template <class A>
HWY_INLINE void store(const A& all, float* to) {
  KRAIT_UNROLL
  for (std::size_t i = 0; i < count_of<A>; ++i) store_vector(nth(all, i), to + i * lanes);
}

// True if the target has 16 SIMD registers instead of 32: x86 below AVX-512.
inline constexpr bool few_registers = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3;
// The number of SIMD vectors that element-wise loops, such as softplus, process side by side to hide the latency of
// instructions.
inline constexpr std::size_t side_by_side = few_registers ? 2 : 4;
// Calls f(k, c) for groups of k neighbouring vectors of channels until all channels are covered: c is the first channel of a
// group, and k, an integral_constant, is side_by_side or 1. The number of channels must be a multiple of 16.
template <class F>
HWY_INLINE void for_each_group(std::size_t channels, F f) {
  std::size_t c = 0;
  for (; c + side_by_side * lanes <= channels; c += side_by_side * lanes)
    f(std::integral_constant<std::size_t, side_by_side>{}, c);
  if constexpr (strip_width % (side_by_side * lanes) != 0)
    for (; c < channels; c += lanes) f(std::integral_constant<std::size_t, 1>{}, c);
}

// load_first loads the first n lanes of a vector, for n <= lanes, and returns 0 in the others; store_first stores the first n
// lanes of v. Neither accesses memory beyond these lanes. With AVX-512 they use masks: if a vector is loaded from a copy that
// was stored in parts, the processor waits until the parts have reached the cache.
template <class D>
HWY_INLINE auto load_first(D tag, const hn::TFromD<D>* from, std::size_t n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(tag, n), tag, from);
#else
  alignas(64) hn::TFromD<D> all[lanes] = {};
  std::memcpy(all, from, n * sizeof(all[0]));
  return hn::Load(tag, all);
#endif
}
template <class D>
HWY_INLINE void store_first(hn::Vec<D> v, D tag, hn::TFromD<D>* to, std::size_t n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(tag, n), tag, to);
#else
  alignas(64) hn::TFromD<D> all[lanes];
  hn::Store(v, tag, all);
  std::memcpy(to, all, n * sizeof(all[0]));
#endif
}

// Calls f(i, load, store) for each vector of an array of n floats, i = 0, lanes, 2 lanes, ... If the last vector is partial,
// its `load` reads the missing lanes as 0 and its `store` does not write them, so the arrays need neither padding nor
// alignment.
template <class F>
HWY_INLINE void for_each_vector(std::size_t n, F f) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    f(i, [](const float* from) KRAIT_LAMBDA { return load_unaligned(from); },
      [](V v, float* to) KRAIT_LAMBDA { store_unaligned(v, to); });
  if (lanes == 1 || i == n) return;
  const std::size_t left = n - i;
  f(i, [left](const float* from) KRAIT_LAMBDA { return load_first(Tag{}, from, left); },
    [left](V v, float* to) KRAIT_LAMBDA { store_first(v, Tag{}, to, left); });
}

// Copies n floats from `from` to `to`, and fills `to` with zeros up to a multiple of 16 floats.
HWY_INLINE void copy_padded(const float* from, float* to, std::size_t n) {
  std::memcpy(to, from, n * sizeof(float));
  std::memset(to + n, 0, (padded(n) - n) * sizeof(float));
}

// Copies n floats from `from` to `to`, which must not overlap.
HWY_INLINE void copy_floats(const float* from, float* to, std::size_t n) { std::memcpy(to, from, n * sizeof(float)); }

KRAIT_END_TARGET

#endif
