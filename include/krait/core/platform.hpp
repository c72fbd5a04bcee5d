// Checks that the compiler and its flags meet the library's requirements, and defines the macros KRAIT_INLINE and KRAIT_BUILD,
// which keep functions that are compiled for different processors separate in one program. This file includes no other header.
#ifndef KRAIT_CORE_PLATFORM_HPP
#define KRAIT_CORE_PLATFORM_HPP

// If a requirement is not met, a public header reports exactly one of the following errors. KRAIT_REFUSED makes public headers
// skip the code that an unsupported compiler could not parse.
#if !defined(__GNUC__)
#error "krait: this compiler is not supported: g++ 11 or later, or clang 14 or later, is required"
#define KRAIT_REFUSED
#elif __cplusplus < 202002L
#error "krait: C++20 is required: compile with -std=c++20 or later"
#define KRAIT_REFUSED
#elif !defined(KRAIT_ALLOW_FAST_MATH) && \
    (defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
     (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0))
#error "krait: -ffast-math, -Ofast, -ffinite-math-only, -fassociative-math and -funsafe-math-optimizations change the results: compile without them, or define KRAIT_ALLOW_FAST_MATH to accept other results and undefined handling of NaN and infinity"
#endif

// A program may contain translation units that are compiled with different -march flags, for example one for AVX-512 and one
// for AVX2. The linker keeps only one copy of an inline function that several units emit under the same name, so a processor
// without AVX-512 might execute the copy that was compiled for AVX-512. Three rules prevent this:
//   - Every function is in an inline namespace named after the unit's instruction set: `namespace krait::inline KRAIT_BUILD`,
//     or `namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD` if it depends on the Highway target.
//   - The member functions of types that all units share (models, states, tensors), and the lambdas in them, are forced inline
//     with KRAIT_INLINE. Text, Status and the types of krait/io are in the inline namespace instead.
//   - __builtin_bit_cast, __builtin_fabsf and other builtins replace the functions of <bit> and <cmath>, which are inline
//     functions that all units share.
// tests/headers/two_marches.py checks that no function violates these rules.
#define KRAIT_INLINE inline __attribute__((always_inline))

// KRAIT_BUILD is a name for the instruction set of the translation unit, for example for_avx2_fma_bmi2_f16. KRAIT_JOIN joins
// the parts of the name, which the macros KRAIT_BUILD_VECTORS, KRAIT_BUILD_FMA and so on define.
#define KRAIT_JOIN_EXPANDED(a, b, c, d, e, f) a##b##c##d##e##f
#define KRAIT_JOIN(a, b, c, d, e, f) KRAIT_JOIN_EXPANDED(a, b, c, d, e, f)
#if defined(__AVX512F__)
#define KRAIT_BUILD_VECTORS _avx512
#elif defined(__AVX2__)
#define KRAIT_BUILD_VECTORS _avx2
#elif defined(__AVX__)
#define KRAIT_BUILD_VECTORS _avx
#elif defined(__SSE4_1__)
#define KRAIT_BUILD_VECTORS _sse4
#elif defined(__SSSE3__)
#define KRAIT_BUILD_VECTORS _ssse3
#elif defined(__SSE3__)
#define KRAIT_BUILD_VECTORS _sse3
#elif defined(__ARM_FEATURE_DOTPROD)
#define KRAIT_BUILD_VECTORS _dotprod
#else
#define KRAIT_BUILD_VECTORS _base
#endif
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define KRAIT_BUILD_FMA _fma
#else
#define KRAIT_BUILD_FMA
#endif
#if defined(__BMI2__)
#define KRAIT_BUILD_INTEGERS _bmi2
#elif defined(__POPCNT__)
#define KRAIT_BUILD_INTEGERS _popcnt
#else
#define KRAIT_BUILD_INTEGERS
#endif
#if defined(__F16C__) || defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
#define KRAIT_BUILD_HALF _f16
#else
#define KRAIT_BUILD_HALF
#endif
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define KRAIT_BUILD_PRODUCTS _vnni
#elif defined(__AVX512VL__)
#define KRAIT_BUILD_PRODUCTS _vl
#else
#define KRAIT_BUILD_PRODUCTS
#endif
#define KRAIT_BUILD \
  KRAIT_JOIN(for, KRAIT_BUILD_VECTORS, KRAIT_BUILD_FMA, KRAIT_BUILD_INTEGERS, KRAIT_BUILD_HALF, KRAIT_BUILD_PRODUCTS)

#endif
