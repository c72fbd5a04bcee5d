// Inner loops for Cortex-M cores with an FPU, where a compiler takes nearly twice the instructions: it never loads several
// floats at once, and copies every constant of a polynomial before it is accumulated onto. Same operations, same order,
// same bits. Only where KRAIT_CORTEX_M_FPU is defined.
#if defined(KRAIT_KERNELS_CORTEX_M_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_CORTEX_M_INL_HPP
#undef KRAIT_KERNELS_CORTEX_M_INL_HPP
#else
#define KRAIT_KERNELS_CORTEX_M_INL_HPP
#endif

#include "krait/kernels/simd-inl.hpp"

#if HWY_TARGET == HWY_SCALAR && defined(__arm__) && defined(__thumb2__) && defined(__ARM_FEATURE_FMA) && !defined(__ARM_NEON) && \
    !defined(KRAIT_NO_ASSEMBLY)
#define KRAIT_CORTEX_M_FPU 1

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {

// sum[o] += x[k] * w[k][o] for 16 outputs and K = 4, 8, ... columns, `skip` floats lying between one column and the next.
HWY_INLINE void multiply_add_16(V (&sum)[16], const float* x, const float* w, std::size_t skip, std::size_t K) {
  // x[k] is in xk; eight weights are loaded at once.
#define KRAIT_COLUMN(xk)                                                                                               \
  "vldmia %[w]!, {s16-s23}\n"                                                                                         \
  "vfma.f32 s0, " xk ", s16\n vfma.f32 s1, " xk ", s17\n vfma.f32 s2, " xk ", s18\n vfma.f32 s3, " xk ", s19\n"         \
  "vfma.f32 s4, " xk ", s20\n vfma.f32 s5, " xk ", s21\n vfma.f32 s6, " xk ", s22\n vfma.f32 s7, " xk ", s23\n"         \
  "vldmia %[w]!, {s16-s23}\n"                                                                                         \
  "vfma.f32 s8, " xk ", s16\n vfma.f32 s9, " xk ", s17\n vfma.f32 s10, " xk ", s18\n vfma.f32 s11, " xk ", s19\n"       \
  "vfma.f32 s12, " xk ", s20\n vfma.f32 s13, " xk ", s21\n vfma.f32 s14, " xk ", s22\n vfma.f32 s15, " xk ", s23\n"     \
  "add %[w], %[w], %[skip]\n"
  asm volatile(".syntax unified\n"
               "vldmia %[sum], {s0-s15}\n"
               "1:\n"
               "vldmia %[x]!, {s24-s27}\n"
               KRAIT_COLUMN("s24") KRAIT_COLUMN("s25") KRAIT_COLUMN("s26") KRAIT_COLUMN("s27")
               "subs %[K], %[K], #4\n bne 1b\n"
               "vstmia %[sum], {s0-s15}\n"
               : [x] "+&r"(x), [w] "+&r"(w), [K] "+&r"(K)
               : [sum] "r"(&sum), [skip] "r"(skip * sizeof(float))
               : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16",
                 "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "cc", "memory");
#undef KRAIT_COLUMN
}

// What scan_four_channels computes exp2_decay with: the lowest t, the shift that rounds, c5; then c4 to c0, which are
// loaded anew for each t, for vfma overwrites them.
using DecayConstants = float[8];

// The recurrence of one token for four neighbouring channels, see scan_channels: A2 and h [d_state][16]; B, C [d_state];
// delta, D, x and y of the four. Two channels at a time.
HWY_INLINE void scan_four_channels(const DecayConstants& decay_constants, const float* A2, float* h, const float* B,
                                   const float* C, const float* delta, const float* D, const float* x, float* y,
                                   std::size_t d_state) {
  // Pointers first, work registers from then on: ten are all that may be had.
  const float *constants = decay_constants, *r0 = delta, *r1 = x, *r2 = D;
#define KRAIT_SCAN_PAIR(t0, t1, h0, h1, dx0, dx1)                                                      \
  "vcmpe.f32 " t0 ", s28\n vmrs APSR_nzcv, fpscr\n it mi\n vmovmi.f32 " t0 ", s28\n"                    \
  "vcmpe.f32 " t1 ", s28\n vmrs APSR_nzcv, fpscr\n it mi\n vmovmi.f32 " t1 ", s28\n"                    \
  "vadd.f32 s12, " t0 ", s29\n vadd.f32 s13, " t1 ", s29\n"                                             \
  "vsub.f32 s14, s12, s29\n vsub.f32 s15, s13, s29\n"                                                   \
  "vsub.f32 " t0 ", " t0 ", s14\n vsub.f32 " t1 ", " t1 ", s15\n"                                       \
  "vmov %[r1], %[r2], s12, s13\n"                                                                       \
  "vldmia %[constants], {s8-s12}\n"                                                                     \
  "vfma.f32 s8, s30, " t0 "\n vfma.f32 s9, s8, " t0 "\n vfma.f32 s10, s9, " t0 "\n"                     \
  "vfma.f32 s11, s10, " t0 "\n vfma.f32 s12, s11, " t0 "\n"                                             \
  "vmov %[r0], s12\n add %[r1], %[r0], %[r1], lsl #23\n"                                                \
  "vldmia %[constants], {s8-s12}\n"                                                                     \
  "vfma.f32 s8, s30, " t1 "\n vfma.f32 s9, s8, " t1 "\n vfma.f32 s10, s9, " t1 "\n"                     \
  "vfma.f32 s11, s10, " t1 "\n vfma.f32 s12, s11, " t1 "\n"                                             \
  "vmov %[r0], s12\n add %[r2], %[r0], %[r2], lsl #23\n vmov s14, s15, %[r1], %[r2]\n"                  \
  "vmul.f32 " t0 ", " dx0 ", s31\n vmul.f32 " t1 ", " dx1 ", s31\n"                                     \
  "vfma.f32 " t0 ", s14, " h0 "\n vfma.f32 " t1 ", s15, " h1 "\n"
  // s16-s19 delta, s20-s23 delta x, s24-s27 y, s28-s30 constants, s31 B or C.
  asm volatile(".syntax unified\n"
               "vldmia %[constants]!, {s28-s30}\n vldmia %[r0], {s16-s19}\n vldmia %[r1], {s4-s7}\n vldmia %[r2], {s0-s3}\n"
               "vmul.f32 s20, s16, s4\n vmul.f32 s21, s17, s5\n vmul.f32 s22, s18, s6\n vmul.f32 s23, s19, s7\n"
               "vmul.f32 s24, s0, s4\n vmul.f32 s25, s1, s5\n vmul.f32 s26, s2, s6\n vmul.f32 s27, s3, s7\n"
               "1:\n"
               "vldmia %[A2], {s0-s3}\n vldmia %[h], {s4-s7}\n vldmia %[B]!, {s31}\n"
               "vmul.f32 s0, s16, s0\n vmul.f32 s1, s17, s1\n vmul.f32 s2, s18, s2\n vmul.f32 s3, s19, s3\n"
               "add %[A2], %[A2], #64\n"
               KRAIT_SCAN_PAIR("s0", "s1", "s4", "s5", "s20", "s21")
               KRAIT_SCAN_PAIR("s2", "s3", "s6", "s7", "s22", "s23")
               "vldmia %[C]!, {s31}\n vstmia %[h], {s0-s3}\n add %[h], %[h], #64\n"
               "vfma.f32 s24, s31, s0\n vfma.f32 s25, s31, s1\n vfma.f32 s26, s31, s2\n vfma.f32 s27, s31, s3\n"
               "subs %[n], %[n], #1\n bne 1b\n"
               "vstmia %[y], {s24-s27}\n"
               : [A2] "+&r"(A2), [h] "+&r"(h), [B] "+&r"(B), [C] "+&r"(C), [n] "+&r"(d_state), [constants] "+&r"(constants),
                 [r0] "+&r"(r0), [r1] "+&r"(r1), [r2] "+&r"(r2)
               : [y] "r"(y)
               : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16",
                 "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", "cc",
                 "memory");
#undef KRAIT_SCAN_PAIR
}

#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE)
#define KRAIT_CORTEX_M_DSP 1

// Where the i-th of a row's 16-bit inputs rests: SXTB16 widens bytes 0 and 2, then 1 and 3, of a word of weights, so inputs
// that are multiplied by them stand in that order.
constexpr std::size_t input_place(std::size_t i) { return (i & ~std::size_t{3}) | (i & 1) << 1 | (i >> 1 & 1); }

// sums[o] = the products of q and w + 8 o, from q to q_end in eights, for four outputs o; from one eight to the next w
// moves on by `width` outputs. q and q_end are not the same.
HWY_INLINE void sum_products(const std::int8_t* w, std::size_t width, const std::int16_t* q, const std::int16_t* q_end,
                             std::int32_t (&sums)[4]) {
  std::int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  std::uint32_t x0, x1, x2, x3, word, half;
  // Four weights of an output, whose inputs are a and b.
#define KRAIT_FOUR(sum, offset, a, b)                                             \
  "ldr %[word], [%[w], #" offset "]\n sxtb16 %[half], %[word]\n"                 \
  "smlad %[" sum "], %[half], %[" a "], %[" sum "]\n"                             \
  "sxtb16 %[half], %[word], ror #8\n"                                            \
  "smlad %[" sum "], %[half], %[" b "], %[" sum "]\n"
  while (q != q_end) {
    asm(".syntax unified\n"
        "ldrd %[x0], %[x1], [%[q]], #8\n ldrd %[x2], %[x3], [%[q]], #8\n"
        KRAIT_FOUR("s0", "0", "x0", "x1") KRAIT_FOUR("s0", "4", "x2", "x3")
        KRAIT_FOUR("s1", "8", "x0", "x1") KRAIT_FOUR("s1", "12", "x2", "x3")
        KRAIT_FOUR("s2", "16", "x0", "x1") KRAIT_FOUR("s2", "20", "x2", "x3")
        KRAIT_FOUR("s3", "24", "x0", "x1") KRAIT_FOUR("s3", "28", "x2", "x3")
        : [s0] "+&r"(s0), [s1] "+&r"(s1), [s2] "+&r"(s2), [s3] "+&r"(s3), [q] "+&r"(q), [x0] "=&r"(x0), [x1] "=&r"(x1),
          [x2] "=&r"(x2), [x3] "=&r"(x3), [word] "=&r"(word), [half] "=&r"(half)
        : [w] "r"(w)
        : "memory");
    w += width * 8;
  }
#undef KRAIT_FOUR
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
#endif
