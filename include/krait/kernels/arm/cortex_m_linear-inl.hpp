// Contains assembly loops for Cortex-M cores with an FPU: matrix-vector products, the causal convolution, and the quantisation
// of inputs for int8 weights.
#if defined(KRAIT_KERNELS_ARM_CORTEX_M_LINEAR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ARM_CORTEX_M_LINEAR_INL_HPP
#undef KRAIT_KERNELS_ARM_CORTEX_M_LINEAR_INL_HPP
#else
#define KRAIT_KERNELS_ARM_CORTEX_M_LINEAR_INL_HPP
#endif

#include "krait/kernels/target-inl.hpp"

#ifdef KRAIT_CORTEX_M_FPU
KRAIT_BEGIN_TARGET

// multiply_add computes y[o] = start[o] + x[0] w[0][o] + x[1] w[1][o] + ... for 16 or 4 neighbouring outputs o, with k
// ascending. w is [K][outputs + skip]: `skip` floats separate the last weight of a column from the first weight of the next.
// KRAIT_COLUMNS(outputs, inputs, input, four_columns, one_column, clobbered registers...) is the body of multiply_add. It keeps
// the sums in the registers `outputs`. It loads four inputs x[k] at a time into the registers `inputs` and executes the
// instructions `four_columns`. If K is not a multiple of 4, it loads each of the last inputs into the register `input` and
// executes the instructions `one_column`.
#define KRAIT_COLUMNS(outputs, inputs, input, four_columns, one_column, ...)        \
  std::size_t fours = K / 4, rest = K % 4;                                          \
  asm volatile(".syntax unified\n"                                                  \
               "vldmia %[start], {" outputs "}\n"                                   \
               "cmp %[fours], #0\n beq 2f\n"                                        \
               "1:\n"                                                               \
               "vldmia %[x]!, {" inputs "}\n" four_columns                          \
               "subs %[fours], %[fours], #1\n bne 1b\n"                             \
               "2:\n"                                                               \
               "cmp %[rest], #0\n beq 4f\n"                                         \
               "3:\n"                                                               \
               "vldmia %[x]!, {" input "}\n" one_column                             \
               "subs %[rest], %[rest], #1\n bne 3b\n"                               \
               "4:\n"                                                               \
               "vstmia %[y], {" outputs "}\n"                                       \
               : [x] "+&r"(x), [w] "+&r"(w), [fours] "+&r"(fours), [rest] "+&r"(rest) \
               : [start] "r"(start), [y] "r"(y), [skip] "r"(skip * sizeof(float))   \
               : __VA_ARGS__, "cc", "memory")

// KRAIT_COLUMN multiplies one column of weights by the input x[k], which is in the register xk, and accumulates the products.
// One instruction loads up to eight weights.
#define KRAIT_COLUMN(xk)                                                                                            \
  "vldmia %[w]!, {s16-s23}\n"                                                                                       \
  "vfma.f32 s0, " xk ", s16\n vfma.f32 s1, " xk ", s17\n vfma.f32 s2, " xk ", s18\n vfma.f32 s3, " xk ", s19\n"     \
  "vfma.f32 s4, " xk ", s20\n vfma.f32 s5, " xk ", s21\n vfma.f32 s6, " xk ", s22\n vfma.f32 s7, " xk ", s23\n"     \
  "vldmia %[w]!, {s16-s23}\n"                                                                                       \
  "vfma.f32 s8, " xk ", s16\n vfma.f32 s9, " xk ", s17\n vfma.f32 s10, " xk ", s18\n vfma.f32 s11, " xk ", s19\n"   \
  "vfma.f32 s12, " xk ", s20\n vfma.f32 s13, " xk ", s21\n vfma.f32 s14, " xk ", s22\n vfma.f32 s15, " xk ", s23\n" \
  "add %[w], %[w], %[skip]\n"
HWY_NOINLINE inline void multiply_add(std::integral_constant<std::size_t, 16>, const float* start, const float* x,
                                      const float* w, std::size_t skip, std::size_t K, float* y) {
  KRAIT_COLUMNS("s0-s15", "s24-s27", "s24", KRAIT_COLUMN("s24") KRAIT_COLUMN("s25") KRAIT_COLUMN("s26") KRAIT_COLUMN("s27"),
                KRAIT_COLUMN("s24"), KRAIT_FLOATS_0_TO_15, KRAIT_FLOATS_16_TO_31);
}
#undef KRAIT_COLUMN
#define KRAIT_COLUMN(xk)                               \
  "vldmia %[w]!, {s8-s11}\n add %[w], %[w], %[skip]\n" \
  "vfma.f32 s0, " xk ", s8\n vfma.f32 s1, " xk ", s9\n vfma.f32 s2, " xk ", s10\n vfma.f32 s3, " xk ", s11\n"
HWY_NOINLINE inline void multiply_add(std::integral_constant<std::size_t, 4>, const float* start, const float* x,
                                      const float* w, std::size_t skip, std::size_t K, float* y) {
  KRAIT_COLUMNS("s0-s3", "s4-s7", "s4", KRAIT_COLUMN("s4") KRAIT_COLUMN("s5") KRAIT_COLUMN("s6") KRAIT_COLUMN("s7"),
                KRAIT_COLUMN("s4"), KRAIT_FLOATS_0_TO_15);
}
#undef KRAIT_COLUMN
#undef KRAIT_COLUMNS

// Computes the causal convolution of one token for four neighbouring channels in place, and shifts the window by one token:
//   y = start + taps[0] window[0] + ... + taps[past - 1] window[past - 1] + taps[past] x     oldest input first
// `past` is d_conv - 1. taps and window point to the first of the four channels in arrays [past + 1][16] and [past][16]. x [4]
// is overwritten with y.
HWY_INLINE void convolve_four(const float* taps, const float* start, float* window, float* x, std::size_t past) {
  float* next;
  asm volatile(".syntax unified\n"
               "vldmia %[start], {s0-s3}\n vldmia %[x], {s12-s15}\n"
               "cmp %[past], #0\n beq 3f\n"
               "vldmia %[window], {s8-s11}\n b 2f\n"
               "1:\n"
               "add %[next], %[window], #64\n vldmia %[next], {s8-s11}\n vstmia %[window], {s8-s11}\n"
               "mov %[window], %[next]\n"
               "2:\n"
               "vldmia %[taps], {s4-s7}\n add %[taps], %[taps], #64\n"
               "vfma.f32 s0, s4, s8\n vfma.f32 s1, s5, s9\n vfma.f32 s2, s6, s10\n vfma.f32 s3, s7, s11\n"
               "subs %[past], %[past], #1\n bne 1b\n"
               "vstmia %[window], {s12-s15}\n"
               "3:\n"
               "vldmia %[taps], {s4-s7}\n"
               "vfma.f32 s0, s4, s12\n vfma.f32 s1, s5, s13\n vfma.f32 s2, s6, s14\n vfma.f32 s3, s7, s15\n"
               "vstmia %[x], {s0-s3}\n"
               : [taps] "+&r"(taps), [window] "+&r"(window), [past] "+&r"(past), [next] "=&r"(next)
               : [start] "r"(start), [x] "r"(x)
               : KRAIT_FLOATS_0_TO_15, "cc", "memory");
}

// Returns the largest of `least` and of the magnitudes of n floats, as the bits of a float32. `least` is the bits of a
// non-negative float32, and n is a positive multiple of 4. The bits of non-negative floats, compared as integers, have the
// order of the floats.
HWY_INLINE std::uint32_t largest_magnitude(std::uint32_t least, const float* x, std::size_t n) {
  std::uint32_t twice = least << 1, r0, r1, r2, r3;
#define KRAIT_LARGER(r) "cmp %[twice], %[" r "], lsl #1\n it lo\n lsllo %[twice], %[" r "], #1\n"
  asm volatile(".syntax unified\n"
               "1:\n"
               "ldrd %[r0], %[r1], [%[x]], #8\n ldrd %[r2], %[r3], [%[x]], #8\n"
               KRAIT_LARGER("r0") KRAIT_LARGER("r1") KRAIT_LARGER("r2") KRAIT_LARGER("r3")
               "subs %[n], %[n], #4\n bne 1b\n"
               : [twice] "+&r"(twice), [x] "+&r"(x), [n] "+&r"(n),
                 [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3)
               :
               : "cc", "memory");
#undef KRAIT_LARGER
  return twice >> 1;
}

// Computes q[i] = round(x[i] * inverse) for n floats, where n is a positive multiple of 4. Rounds by adding whole_shift, as
// round_shifted does.
HWY_INLINE void round_in_fours(const float* x, float inverse, float whole_shift, std::int16_t* q, std::size_t n) {
  std::uint32_t r0, r1, r2, r3;
  asm volatile(".syntax unified\n"
               "1:\n"
               "vldmia %[x]!, {s0-s3}\n"
               "vmul.f32 s0, s0, %[inverse]\n vmul.f32 s1, s1, %[inverse]\n"
               "vmul.f32 s2, s2, %[inverse]\n vmul.f32 s3, s3, %[inverse]\n"
               "vadd.f32 s0, s0, %[shift]\n vadd.f32 s1, s1, %[shift]\n"
               "vadd.f32 s2, s2, %[shift]\n vadd.f32 s3, s3, %[shift]\n"
               "vmov %[r0], %[r1], s0, s1\n vmov %[r2], %[r3], s2, s3\n"
               "pkhbt %[r0], %[r0], %[r1], lsl #16\n pkhbt %[r1], %[r2], %[r3], lsl #16\n"
               "strd %[r0], %[r1], [%[q]], #8\n"
               "subs %[n], %[n], #4\n bne 1b\n"
               : [x] "+&r"(x), [q] "+&r"(q), [n] "+&r"(n),
                 [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3)
               : [inverse] "t"(inverse), [shift] "t"(whole_shift)
               : "s0", "s1", "s2", "s3", "cc", "memory");
}

// The arguments of scan_four_channels, which computes the recurrence of one token for four neighbouring channels. A2 and h
// point to the first of the four channels in arrays [d_state][16]; B and C are [d_state]; `table` contains the coefficients of
// exp2_polynomial. delta, x, D and y are [4]; scan_four_channels advances these four pointers to the next four channels.
struct ScanOfFour {
  const float* A2;
  float* h;
  const float *B, *C;
  std::size_t d_state;
  const float *table, *delta, *x, *D;
  float* y;
};

KRAIT_END_TARGET

#endif
#endif
