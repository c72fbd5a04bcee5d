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

// sum[i] += x * w[i] for eight i; w moves on by 8.
HWY_INLINE void multiply_add_8(V* sum, float x, const float*& w) {
  asm(R"(
    .syntax unified
    vldmia %[w]!, {s0-s7}
    vfma.f32 %0, %[x], s0
    vfma.f32 %1, %[x], s1
    vfma.f32 %2, %[x], s2
    vfma.f32 %3, %[x], s3
    vfma.f32 %4, %[x], s4
    vfma.f32 %5, %[x], s5
    vfma.f32 %6, %[x], s6
    vfma.f32 %7, %[x], s7)"
      : "+t"(sum[0].raw), "+t"(sum[1].raw), "+t"(sum[2].raw), "+t"(sum[3].raw), "+t"(sum[4].raw), "+t"(sum[5].raw),
        "+t"(sum[6].raw), "+t"(sum[7].raw), [w] "+r"(w)
      : [x] "t"(x)
      : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "memory");
}

// What scan_four_channels begins with: exp2_decay's constants, then delta, delta x and D x of the channels.
struct ScanFour {
  float lowest = -126.0f;
  float shift = whole_shift;
  float c5 = 0.0013264912f;
  float delta[4], delta_x[4], y[4];
};
inline constexpr float decay_c4_to_c0[5] = {0.009671511576f, 0.0555073313f, 0.2402224208f, 0.693146978f, 1.0f};

// The recurrence of one token for four neighbouring channels, see scan_channels: A2 and h [d_state][16], B and C
// [d_state]. s.y becomes y. exp2_decay of two channels at a time.
HWY_INLINE void scan_four_channels(ScanFour& s, const float* A2, float* h, const float* B, const float* C,
                                   std::size_t d_state) {
  std::uint32_t r0, r1, r2, r3;
  ScanFour* at = &s;
#define KRAIT_SCAN_PAIR(t0, t1, h0, h1, dx0, dx1)                                                      \
  "vcmpe.f32 " t0 ", s28\n vmrs APSR_nzcv, fpscr\n it mi\n vmovmi.f32 " t0 ", s28\n"                    \
  "vcmpe.f32 " t1 ", s28\n vmrs APSR_nzcv, fpscr\n it mi\n vmovmi.f32 " t1 ", s28\n"                    \
  "vadd.f32 s12, " t0 ", s29\n vadd.f32 s13, " t1 ", s29\n"                                             \
  "vsub.f32 s14, s12, s29\n vsub.f32 s15, s13, s29\n"                                                   \
  "vsub.f32 " t0 ", " t0 ", s14\n vsub.f32 " t1 ", " t1 ", s15\n"                                       \
  "vmov %[r2], %[r3], s12, s13\n"                                                                       \
  "vldmia %[constants], {s8-s12}\n"                                                                     \
  "vfma.f32 s8, s30, " t0 "\n vfma.f32 s9, s8, " t0 "\n vfma.f32 s10, s9, " t0 "\n"                     \
  "vfma.f32 s11, s10, " t0 "\n vfma.f32 s12, s11, " t0 "\n vmov %[r0], s12\n"                          \
  "vldmia %[constants], {s8-s12}\n"                                                                     \
  "vfma.f32 s8, s30, " t1 "\n vfma.f32 s9, s8, " t1 "\n vfma.f32 s10, s9, " t1 "\n"                     \
  "vfma.f32 s11, s10, " t1 "\n vfma.f32 s12, s11, " t1 "\n vmov %[r1], s12\n"                          \
  "add %[r0], %[r0], %[r2], lsl #23\n add %[r1], %[r1], %[r3], lsl #23\n vmov s14, s15, %[r0], %[r1]\n" \
  "vmul.f32 " t0 ", " dx0 ", s31\n vmul.f32 " t1 ", " dx1 ", s31\n"                                     \
  "vfma.f32 " t0 ", s14, " h0 "\n vfma.f32 " t1 ", s15, " h1 "\n"
  asm volatile(".syntax unified\n"
               "vldmia %[s]!, {s28-s30}\n vldmia %[s], {s16-s27}\n"
               "1:\n"
               "vldmia %[A2], {s0-s3}\n vldmia %[h], {s4-s7}\n vldmia %[B]!, {s31}\n"
               "vmul.f32 s0, s16, s0\n vmul.f32 s1, s17, s1\n vmul.f32 s2, s18, s2\n vmul.f32 s3, s19, s3\n"
               "add %[A2], %[A2], #64\n"
               KRAIT_SCAN_PAIR("s0", "s1", "s4", "s5", "s20", "s21")
               KRAIT_SCAN_PAIR("s2", "s3", "s6", "s7", "s22", "s23")
               "vldmia %[C]!, {s31}\n vstmia %[h], {s0-s3}\n add %[h], %[h], #64\n"
               "vfma.f32 s24, s31, s0\n vfma.f32 s25, s31, s1\n vfma.f32 s26, s31, s2\n vfma.f32 s27, s31, s3\n"
               "subs %[n], %[n], #1\n bne 1b\n"
               "add %[s], %[s], #32\n vstmia %[s], {s24-s27}\n"
               : [A2] "+r"(A2), [h] "+r"(h), [B] "+r"(B), [C] "+r"(C), [n] "+r"(d_state), [r0] "=&r"(r0), [r1] "=&r"(r1),
                 [r2] "=&r"(r2), [r3] "=&r"(r3), [s] "+r"(at)
               : [constants] "r"(decay_c4_to_c0)
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
        : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [q] "+r"(q), [x0] "=&r"(x0), [x1] "=&r"(x1),
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
