// Selects the Highway target that the kernels are compiled for, and defines its vector type V, its number of lanes and its
// fused multiply-add. Highway includes this file once for each target.
#if defined(KRAIT_KERNELS_TARGET_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_TARGET_INL_HPP
#undef KRAIT_KERNELS_TARGET_INL_HPP
#else
#define KRAIT_KERNELS_TARGET_INL_HPP
#endif

// Highway 1.0.3 does not compile with -march=native on a processor with AVX-VNNI unless HWY_WANT_AVX3_DL is defined.
#if defined(__AVXVNNI__) && defined(__VAES__) && !defined(HWY_WANT_AVX3_DL)
#define HWY_WANT_AVX3_DL
#endif
// Selects Highway's target SCALAR for processors without vector instructions. Highway itself would choose EMU128 or SCALAR by
// the compiler's version. EMU128, which emulates vectors of four lanes in memory, executes 13.9 times the instructions on a
// Cortex-M4F, and the assembly loops for Cortex-M require SCALAR.
#if !defined(__x86_64__) && !defined(__i386__) && !defined(__aarch64__) && !defined(__ARM_NEON) && !defined(__riscv_vector) && \
    !defined(__VSX__) && !defined(__wasm_simd128__) && !defined(__VEC__) && !defined(HWY_TARGET_INCLUDE) && \
    !defined(HWY_COMPILE_ONLY_EMU128) && !defined(HWY_COMPILE_ONLY_STATIC)
#define KRAIT_WANTS_SCALAR
#ifndef HWY_COMPILE_ONLY_SCALAR
#define HWY_COMPILE_ONLY_SCALAR
#endif
#endif
#include <hwy/highway.h>
#if defined(KRAIT_WANTS_SCALAR) && HWY_TARGET != HWY_SCALAR
#error "krait: Highway was included before krait.hpp and chose EMU128, which is 14 times as slow as scalar code: include krait.hpp first, or compile with -DHWY_COMPILE_ONLY_SCALAR"
#endif

#include <cstddef>
#include <type_traits>

#include "krait/core/opaque.hpp"
#include "krait/layout/row_layout.hpp"

// KRAIT_UNROLL unrolls the loop that follows it completely. Loops over accumulators need it: without it, gcc -O2 keeps the
// accumulators in memory, which takes 1.7 to 2.8 times as long. The loop over the inputs of a linear layer is not unrolled.
#ifndef KRAIT_UNROLL
#ifdef __clang__
#define KRAIT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KRAIT_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

// KRAIT_LAMBDA must follow the parameters of every lambda that handles SIMD vectors. It compiles the lambda for the current
// Highway target, and inlines it early enough for the compiler to keep arrays of vectors in registers.
#ifndef KRAIT_LAMBDA
#define KRAIT_LAMBDA HWY_ATTR __attribute__((always_inline))
#endif

// KRAIT_OWN_FRAME marks a function that is a part of a step. On scalar targets, where stack memory is scarce, it is not
// inlined, so that its stack frame exists only while it runs. On other targets it is inlined.
#undef KRAIT_OWN_FRAME
#if HWY_TARGET == HWY_SCALAR
#define KRAIT_OWN_FRAME HWY_NOINLINE
#else
#define KRAIT_OWN_FRAME HWY_INLINE
#endif

// The code between KRAIT_BEGIN_TARGET and KRAIT_END_TARGET is in a namespace of the current Highway target, and is compiled for
// this target.
#ifndef KRAIT_BEGIN_TARGET
#define KRAIT_BEGIN_TARGET \
  HWY_BEFORE_NAMESPACE();  \
  namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {
#define KRAIT_END_TARGET \
  }                      \
  HWY_AFTER_NAMESPACE();
#endif

KRAIT_BEGIN_TARGET
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_HAVE_SCALABLE
#error "krait: vectors of unknown length (SVE, RVV) are not supported: remove sve and v from -march, or add these targets to HWY_DISABLED_TARGETS"
#endif

// Tag is Highway's tag for vectors of float32, and V is the vector type. `lanes` is the number of floats in a vector of the
// target, at most 16.
using Tag = hn::CappedTag<float, strip_width>;
using V = hn::Vec<Tag>;
inline constexpr std::size_t lanes = hn::MaxLanes(Tag{});

// OneTag is Highway's tag for a vector of one float. With this tag, the functions for vectors also compute single floats.
using OneTag = hn::CappedTag<float, 1>;

// has_fma is true if the target has a fused multiply-add, so that mul_add rounds once. On SCALAR and EMU128, Highway's MulAdd
// is the expression a * b + c, which rounds twice; `fused` replaces it with the processor's instruction where there is one.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
// gcc defines __FP_FAST_FMAF if the target has a fused multiply-add. clang does not define it, so the macros for processors
// with this instruction are tested as well.
#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__riscv_flen)
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif
HWY_INLINE float fused(float a, float b, float c) {
// clang compiles __builtin_fmaf to a call of fmaf, which may set errno, unless -fno-math-errno is given. Inline assembly avoids
// the call.
#if defined(__clang__) && defined(__arm__) && defined(__ARM_FEATURE_FMA)
  asm("vfma.f32 %0, %1, %2" : "+t"(c) : "t"(a), "t"(b));
  return c;
#elif defined(__clang__) && defined(__riscv_flen)
  asm("fmadd.s %0, %1, %2, %0" : "+f"(c) : "f"(a), "f"(b));
  return c;
#else
  if constexpr (has_fma) return __builtin_fmaf(a, b, c);
  else return a * b + c;
#endif
}
#elif HWY_ARCH_X86
inline constexpr bool has_fma = HWY_TARGET <= HWY_AVX2;  // Highway gives lower numbers to targets with more features
#elif HWY_ARCH_ARM_V7
#ifdef __ARM_VFPV4__
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif
#else
inline constexpr bool has_fma = true;
#endif

// Returns a * b + c for one vector, rounded once if has_fma is true.
template <class Vec>
HWY_INLINE Vec mul_add_one(Vec a, Vec b, Vec c) {
#if HWY_TARGET == HWY_SCALAR
  return Vec(fused(a.raw, b.raw, c.raw));
#elif HWY_TARGET == HWY_EMU128
  for (std::size_t i = 0; i < hn::MaxLanes(hn::DFromV<Vec>{}); ++i) c.raw[i] = fused(a.raw[i], b.raw[i], c.raw[i]);
  return c;
#else
  return hn::MulAdd(a, b, c);
#endif
}

KRAIT_END_TARGET

#endif
