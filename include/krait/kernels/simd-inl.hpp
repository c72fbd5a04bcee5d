// What every kernel says in Highway's words: the vector in use, fused multiply-add, and rounding that is the same
// everywhere. Per target: included once for each.
#if defined(KRAIT_KERNELS_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_SIMD_INL_HPP
#undef KRAIT_KERNELS_SIMD_INL_HPP
#else
#define KRAIT_KERNELS_SIMD_INL_HPP
#endif

// Highway 1.0.3 does not compile for -march=native on a machine with AVX-VNNI unless this target is asked for.
#if defined(__AVXVNNI__) && defined(__VAES__) && !defined(HWY_WANT_AVX3_DL)
#define HWY_WANT_AVX3_DL
#endif
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "krait/core/dims.hpp"

// Loops over accumulators must be unrolled, or gcc -O2 keeps them in memory (1.7 to 2.8 times slower). Never loops over K.
#ifndef KRAIT_UNROLL
#ifdef __clang__
#define KRAIT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KRAIT_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_HAVE_SCALABLE
#error "krait: vectors of unknown length (SVE, RVV) are not supported: leave sve and v out of -march, or add the targets to HWY_DISABLED_TARGETS"
#endif

// At most 16 lanes; fewer where the target has fewer.
using Tag = hn::CappedTag<float, block_width>;
using V = hn::Vec<Tag>;
inline constexpr std::size_t lanes = hn::MaxLanes(Tag{});

// The same functions on one float at a time, for the few places that have just one.
using OneTag = hn::CappedTag<float, 1>;

// a * b + c, rounded once. Highway's MulAdd is a plain expression on SCALAR and EMU128, so there it goes through the
// builtin where the machine has the instruction. Without one it is rounded twice, and has_fma says so.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
#ifdef __FP_FAST_FMAF
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif
HWY_INLINE float fused(float a, float b, float c) {
#ifdef __FP_FAST_FMAF
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
#elif HWY_ARCH_X86
inline constexpr bool has_fma = HWY_TARGET <= HWY_AVX2;  // lower is wider
#elif HWY_ARCH_ARM_V7
#ifdef __ARM_VFPV4__
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif
#else
inline constexpr bool has_fma = true;
#endif

template <class Vec>
HWY_INLINE Vec mul_add(Vec a, Vec b, Vec c) {
#if HWY_TARGET == HWY_SCALAR
  return Vec(fused(a.raw, b.raw, c.raw));
#elif HWY_TARGET == HWY_EMU128
  for (std::size_t i = 0; i < hn::MaxLanes(hn::DFromV<Vec>{}); ++i) c.raw[i] = fused(a.raw[i], b.raw[i], c.raw[i]);
  return c;
#else
  return hn::MulAdd(a, b, c);
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
template <class Vec>
HWY_INLINE Vec clamp_below(Vec limit, Vec v) {
#if HWY_TARGET == HWY_SCALAR
  return Vec(v.raw < limit.raw ? limit.raw : v.raw);
#elif HWY_TARGET != HWY_EMU128 && HWY_ARCH_X86
  return hn::Max(limit, v);  // maxps gives its second operand where either is NaN
#else
  return hn::IfThenElse(hn::Lt(v, limit), limit, v);
#endif
}

// v itself, as a value the compiler cannot see through, where arithmetic is plain expressions: so that it neither fuses
// the multiplication that made v with what follows (gcc does by default) nor folds (v + s) - s (-ffast-math does).
HWY_INLINE float opaque_float(float v) {
#if defined(__SSE__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#elif defined(__arm__) && defined(__ARM_FP)
  asm("" : "+t"(v));
#elif defined(__riscv_flen) || defined(__s390x__)
  asm("" : "+f"(v));
#else
  asm("" : "+r"(v));
#endif
  return v;
}
template <class Vec>
HWY_INLINE Vec opaque(Vec v) {
#if HWY_TARGET == HWY_SCALAR
  v.raw = opaque_float(v.raw);
#elif HWY_TARGET == HWY_EMU128
  for (std::size_t i = 0; i < hn::MaxLanes(hn::DFromV<Vec>{}); ++i) v.raw[i] = opaque_float(v.raw[i]);
#endif
  return v;
}

// Splits t, |t| < 2^21, into a whole number (ties to even) and the bits of that number + 1.5 * 2^23, in whose low end it
// stands as an integer. SCALAR and EMU128 add and subtract: a Cortex-M4 has no instruction that rounds.
template <class Vec>
struct Whole {
  Vec value;
  hn::Vec<hn::RebindToSigned<hn::DFromV<Vec>>> bits;
};
template <class Vec>
HWY_INLINE Whole<Vec> round_to_whole(Vec t) {
  const hn::DFromV<Vec> tag;
  const hn::RebindToSigned<decltype(tag)> int_tag;
  const Vec shift = hn::Set(tag, 12582912.0f);  // 1.5 * 2^23
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  const Vec sum = opaque(hn::Add(t, shift));
  return {hn::Sub(sum, shift), hn::BitCast(int_tag, sum)};
#else
  const Vec value = hn::Round(t);
  return {value, hn::BitCast(int_tag, hn::Add(value, shift))};
#endif
}

// for_each_vector(n, f): f(i, load, store) for the vectors of n floats, i = 0, lanes, ... load and store move a vector of
// which only what lies within n is touched: the rest is read as 0 and not written. Rows need no padding.
template <class F>
HWY_INLINE void for_each_vector(std::size_t n, F f) {
  const Tag tag;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    f(i, [tag](const float* from) HWY_ATTR { return hn::LoadU(tag, from); },
      [tag](V v, float* to) HWY_ATTR { hn::StoreU(v, tag, to); });
  if (i == n) return;
  const std::size_t left = n - i;
  f(i,
    [tag, left](const float* from) HWY_ATTR {
      alignas(64) float all[lanes] = {};
      std::memcpy(all, from, left * sizeof(float));
      return hn::Load(tag, all);
    },
    [tag, left](V v, float* to) HWY_ATTR {
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

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
