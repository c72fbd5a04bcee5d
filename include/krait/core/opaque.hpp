// Keeps floating-point operations apart that a compiler's flags allow it to merge.
#ifndef KRAIT_CORE_OPAQUE_HPP
#define KRAIT_CORE_OPAQUE_HPP

#include "krait/core/platform.hpp"

// The constraint of an asm operand that is one float in a register.
#if defined(__SSE__)
#define KRAIT_FLOAT_REGISTER "v"
#elif defined(__aarch64__)
#define KRAIT_FLOAT_REGISTER "w"
#elif defined(__arm__) && defined(__ARM_FP)
#define KRAIT_FLOAT_REGISTER "t"
#elif defined(__riscv_flen) || defined(__s390x__) || defined(__powerpc64__)
#define KRAIT_FLOAT_REGISTER "f"
#else
#define KRAIT_FLOAT_REGISTER "r"
#endif

namespace krait::inline KRAIT_BUILD {

// Returns x as a value that the compiler cannot trace back to the operation that computed it. Costs no instruction. The
// compiler then neither fuses a product with a following sum (gcc does by default), nor reassociates operations, nor divides by
// multiplying with a constant's reciprocal (-fassociative-math, -freciprocal-math, -funsafe-math-optimizations).
KRAIT_INLINE float opaque(float x) {
  asm("" : "+" KRAIT_FLOAT_REGISTER(x));
  return x;
}

}  // namespace krait::inline KRAIT_BUILD

#endif
