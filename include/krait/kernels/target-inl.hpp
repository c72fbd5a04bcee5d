// The Highway target that kernels are compiled for: the choice of the scalar target, vector types and the fused multiply-add.
// Per target: Highway includes this file once for each.
#if defined(KRAIT_KERNELS_TARGET_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_TARGET_INL_HPP
#undef KRAIT_KERNELS_TARGET_INL_HPP
#else
#define KRAIT_KERNELS_TARGET_INL_HPP
#endif

// Highway 1.0.3 does not compile for -march=native on a machine with AVX-VNNI unless this target is asked for.
#if defined(__AVXVNNI__) && defined(__VAES__) && !defined(HWY_WANT_AVX3_DL)
#define HWY_WANT_AVX3_DL
#endif
// Without vectors, Highway takes EMU128 or SCALAR by the compiler's version. The loops for Cortex-M and RISC-V are SCALAR's, and
// EMU128 keeps its four lanes in memory (13.9 times the instructions on a Cortex-M4F), so the choice is made here.
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
#error "krait: Highway was included before krait.hpp and chose EMU128, which is 14 times as slow: include krait.hpp first, or compile with -DHWY_COMPILE_ONLY_SCALAR"
#endif

#include <cstddef>
#include <type_traits>

#include "krait/core/opaque.hpp"
#include "krait/layout/row_layout.hpp"

// Loops over accumulators must be unrolled, or gcc -O2 keeps them in memory (1.7 to 2.8 times slower). Never loops over K.
#ifndef KRAIT_UNROLL
#ifdef __clang__
#define KRAIT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KRAIT_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

// After the parameters of every lambda that handles vectors: compiled for the target, and inlined before arrays of vectors
// are taken apart into registers.
#ifndef KRAIT_LAMBDA
#define KRAIT_LAMBDA HWY_ATTR __attribute__((always_inline))
#endif

// A part of a step that gets a frame of its own on cores without vectors, where the stack is scarce. Elsewhere it is inlined.
#undef KRAIT_OWN_FRAME
#if HWY_TARGET == HWY_SCALAR
#define KRAIT_OWN_FRAME HWY_NOINLINE
#else
#define KRAIT_OWN_FRAME HWY_INLINE
#endif

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_HAVE_SCALABLE
#error "krait: vectors of unknown length (SVE, RVV) are not supported: leave sve and v out of -march, or add the targets to HWY_DISABLED_TARGETS"
#endif

// At most 16 lanes; fewer where the target has fewer.
using Tag = hn::CappedTag<float, strip_width>;
using V = hn::Vec<Tag>;
inline constexpr std::size_t lanes = hn::MaxLanes(Tag{});

// The same functions on one float at a time, for the few places that have just one.
using OneTag = hn::CappedTag<float, 1>;

// a * b + c, rounded once. Highway's MulAdd is a plain expression on SCALAR and EMU128, so there it goes through the
// builtin where the machine has the instruction. Without one it is rounded twice, and has_fma says so.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
// gcc defines the first; clang says it only of the machine.
#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__riscv_flen)
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif
HWY_INLINE float fused(float a, float b, float c) {
// clang calls fmaf, which may set errno, unless -fno-math-errno is given or the C library is known never to set it.
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

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
