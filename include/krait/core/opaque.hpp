// Defines krait::opaque, which prevents the compiler from fusing or reordering floating-point operations,
// whatever the compiler flags are.
#ifndef KRAIT_CORE_OPAQUE_HPP
#define KRAIT_CORE_OPAQUE_HPP

#include "krait/core/platform.hpp"

// KRAIT_FLOAT_REGISTER is the constraint letter of an asm operand that is a float in a register.
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

// Returns x as a value that the compiler cannot trace back to the operation that computed it, without emitting an instruction.
// Therefore the compiler neither fuses a product with a following sum (which gcc does by default), nor reassociates operations,
// nor replaces a division by a multiplication with a reciprocal (-fassociative-math, -freciprocal-math,
// -funsafe-math-optimizations).
KRAIT_INLINE float opaque(float x) {
  asm("" : "+" KRAIT_FLOAT_REGISTER(x));
  return x;
}

}  // namespace krait::inline KRAIT_BUILD

#endif
