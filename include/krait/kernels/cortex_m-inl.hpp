// Inner loops for Cortex-M cores with an FPU, where a compiler takes nearly twice the instructions: it never loads
// several floats at once, and copies every constant of a polynomial before it is accumulated onto. Same operations,
// same order, same bits. Only where KRAIT_CORTEX_M_FPU is defined.
#if defined(KRAIT_KERNELS_CORTEX_M_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_CORTEX_M_INL_HPP
#undef KRAIT_KERNELS_CORTEX_M_INL_HPP
#else
#define KRAIT_KERNELS_CORTEX_M_INL_HPP
#endif

#include "krait/kernels/simd-inl.hpp"

#if HWY_TARGET == HWY_SCALAR && defined(__arm__) && defined(__thumb2__) && defined(__ARM_FEATURE_FMA) && \
    defined(__ARM_FEATURE_DSP) && !defined(__ARM_NEON) && defined(__OPTIMIZE__) && !defined(KRAIT_NO_ASSEMBLY)
#define KRAIT_CORTEX_M_FPU 1

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {

// What an assembly overwrites.
#define KRAIT_FLOATS_0_TO_15 \
  "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15"
#define KRAIT_FLOATS_16_TO_31 \
  "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31"

// y[o] = start[o] + sum over k of x[k] * w[k][o] for 16 or 4 outputs, `skip` floats lying between one column and the
// next. x[k] is in xk; all weights of a column, or eight, are loaded at once.
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
  std::size_t fours = K / 4, rest = K % 4;
  asm volatile(".syntax unified\n"
               "vldmia %[start], {s0-s15}\n"
               "cmp %[fours], #0\n beq 2f\n"
               "1:\n"
               "vldmia %[x]!, {s24-s27}\n"
               KRAIT_COLUMN("s24") KRAIT_COLUMN("s25") KRAIT_COLUMN("s26") KRAIT_COLUMN("s27")
               "subs %[fours], %[fours], #1\n bne 1b\n"
               "2:\n"
               "cmp %[rest], #0\n beq 4f\n"
               "3:\n"
               "vldmia %[x]!, {s24}\n" KRAIT_COLUMN("s24")
               "subs %[rest], %[rest], #1\n bne 3b\n"
               "4:\n"
               "vstmia %[y], {s0-s15}\n"
               : [x] "+&r"(x), [w] "+&r"(w), [fours] "+&r"(fours), [rest] "+&r"(rest)
               : [start] "r"(start), [y] "r"(y), [skip] "r"(skip * sizeof(float))
               : KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
}
#undef KRAIT_COLUMN
#define KRAIT_COLUMN(xk)                               \
  "vldmia %[w]!, {s8-s11}\n add %[w], %[w], %[skip]\n" \
  "vfma.f32 s0, " xk ", s8\n vfma.f32 s1, " xk ", s9\n vfma.f32 s2, " xk ", s10\n vfma.f32 s3, " xk ", s11\n"
HWY_NOINLINE inline void multiply_add(std::integral_constant<std::size_t, 4>, const float* start, const float* x,
                                      const float* w, std::size_t skip, std::size_t K, float* y) {
  std::size_t fours = K / 4, rest = K % 4;
  asm volatile(".syntax unified\n"
               "vldmia %[start], {s0-s3}\n"
               "cmp %[fours], #0\n beq 2f\n"
               "1:\n"
               "vldmia %[x]!, {s4-s7}\n"
               KRAIT_COLUMN("s4") KRAIT_COLUMN("s5") KRAIT_COLUMN("s6") KRAIT_COLUMN("s7")
               "subs %[fours], %[fours], #1\n bne 1b\n"
               "2:\n"
               "cmp %[rest], #0\n beq 4f\n"
               "3:\n"
               "vldmia %[x]!, {s4}\n" KRAIT_COLUMN("s4")
               "subs %[rest], %[rest], #1\n bne 3b\n"
               "4:\n"
               "vstmia %[y], {s0-s3}\n"
               : [x] "+&r"(x), [w] "+&r"(w), [fours] "+&r"(fours), [rest] "+&r"(rest)
               : [start] "r"(start), [y] "r"(y), [skip] "r"(skip * sizeof(float))
               : KRAIT_FLOATS_0_TO_15, "cc", "memory");
}
#undef KRAIT_COLUMN

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#define KRAIT_CORTEX_M_HELIUM 1
#endif

// exp2_polynomial of two f, in s14 and s15. vfma overwrites what it adds to, so all coefficients but the first, which
// is in s28, are loaded anew, each twice.
#define KRAIT_EXP2_PAIR(table, f0, f1)                                                  \
  "vldmia " table ", {s6-s15}\n"                                                        \
  "vfma.f32 s6, s28, " f0 "\n vfma.f32 s7, s28, " f1 "\n vfma.f32 s8, s6, " f0 "\n"     \
  "vfma.f32 s9, s7, " f1 "\n vfma.f32 s10, s8, " f0 "\n vfma.f32 s11, s9, " f1 "\n"     \
  "vfma.f32 s12, s10, " f0 "\n vfma.f32 s13, s11, " f1 "\n vfma.f32 s14, s12, " f0 "\n" \
  "vfma.f32 s15, s13, " f1 "\n"

// What scan_four_channels reads and writes for four neighbouring channels and one token, see scan_channels: A2 and h
// [d_state][16]; B, C [d_state]; the table of exp2_polynomial's coefficients; delta, x, D and y of the four, which
// it moves on to the next four.
struct ScanOfFour {
  const float* A2;
  float* h;
  const float *B, *C;
  std::size_t d_state;
  const float *table, *delta, *x, *D;
  float* y;
};

#ifdef KRAIT_CORTEX_M_HELIUM
// The recurrence of one token for four channels. Helium's floats take denormal numbers for 0, so it computes only what
// that does not change: the decay, where 2^f is 1 for a denormal f and all results are normal. u = -t >= 0, n =
// round(u), f = n - u, and the bits of p(f) - n * 2^23 are limited to those of 2^-126; NaN, whose n is 0, is above.
// From 2^31 on, where n is not u any more, f is far below 0 and p negative.
HWY_INLINE void scan_four_channels(ScanOfFour& four) {
  ScanOfFour* pointers = &four;
  // q0 u, f, h; q1 n; q2 h; q3 decay; q4 -delta, q5 delta x, q6 y, s28 where it goes; r4-r6, r8, r9 and at last
  // `four` coefficients. More registers, and there are builds with none for `four`.
  asm volatile(".syntax unified\n"
               "ldmia %[four]!, {r0-r5}\n ldmia %[four], {r6, r8, r9}\n dls lr, r4\n"
               "vldrw.u32 q4, [r6], #16\n vldrw.u32 q1, [r8], #16\n vldrw.u32 q0, [r9], #16\n"
               "stmia %[four]!, {r6, r8, r9}\n"
               "ldr r6, [%[four]]\n vmov s28, r6\n add r6, #16\n str r6, [%[four]]\n"
               "vmul.f32 s20, s16, s4\n vmul.f32 s21, s17, s5\n vmul.f32 s22, s18, s6\n vmul.f32 s23, s19, s7\n"
               "vmul.f32 s24, s0, s4\n vmul.f32 s25, s1, s5\n vmul.f32 s26, s2, s6\n vmul.f32 s27, s3, s7\n"
               "vneg.f32 s16, s16\n vneg.f32 s17, s17\n vneg.f32 s18, s18\n vneg.f32 s19, s19\n"
               "ldr %[four], [r5, #20]\n ldmia r5, {r4-r6, r8, r9}\n"
               "1:\n"
               "vldrw.u32 q0, [r0], #64\n"
               "vmul.f32 s0, s16, s0\n vmul.f32 s1, s17, s1\n vmul.f32 s2, s18, s2\n vmul.f32 s3, s19, s3\n"
               "vcvtn.s32.f32 q1, q0\n vcvt.f32.s32 q2, q1\n vsub.f32 q0, q2, q0\n vdup.32 q3, r4\n"
               "vfmas.f32 q3, q0, r5\n vfmas.f32 q3, q0, r6\n vfmas.f32 q3, q0, r8\n vfmas.f32 q3, q0, r9\n"
               "vfmas.f32 q3, q0, %[four]\n"
               "vqshl.s32 q1, q1, #23\n vqsub.s32 q3, q3, q1\n vmov.i32 q1, #0x00800000\n vmax.s32 q3, q3, q1\n"
               "vldrw.u32 q2, [r1]\n vldmia r2!, {s4}\n vldmia r3!, {s5}\n"
               "vmul.f32 s0, s20, s4\n vmul.f32 s1, s21, s4\n vmul.f32 s2, s22, s4\n vmul.f32 s3, s23, s4\n"
               "vfma.f32 s0, s12, s8\n vfma.f32 s1, s13, s9\n vfma.f32 s2, s14, s10\n vfma.f32 s3, s15, s11\n"
               "vstrw.32 q0, [r1], #64\n"
               "vfma.f32 s24, s5, s0\n vfma.f32 s25, s5, s1\n vfma.f32 s26, s5, s2\n vfma.f32 s27, s5, s3\n"
               "le lr, 1b\n"
               "vmov r4, s28\n vstrw.32 q6, [r4]\n"
               : [four] "+&r"(pointers)
               :
               : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "lr", KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
}
#else
// The recurrence of one token for four channels; the table has each coefficient twice and halved. It takes too many
// registers to leave their choice to the compiler.
//
// exp2_decay without its clamp: with u = -t >= 0, n = round(u) and f = n - u, bits(p(f) / 2) - n * 2^23 is below 0
// where 2^t is below 2^-126, so it is saturated at 0 and 2^-126 is added as an integer. n stops at 127; from 2^31 on,
// where it is not u any more, f is far below 0 or -infinity and p is negative. NaN (n is 0 then) is saturated to a NaN,
// if its sign is +, as it is in A2 (DecayRates) and where the core makes one.
HWY_INLINE void scan_four_channels(ScanOfFour& four) {
#define KRAIT_DECAY_PAIR(u0, u1, n0, n1, d0, d1)                     \
  "vmov r6, r8, " n0 ", " n1 "\n"                                    \
  KRAIT_EXP2_PAIR("r5", u0, u1)                                      \
  "usat r6, #7, r6\n usat r8, #7, r8\n vmov r9, %[four], s14, s15\n" \
  "sub r9, r9, r6, lsl #23\n sub %[four], %[four], r8, lsl #23\n"    \
  "usat r9, #31, r9\n usat %[four], #31, %[four]\n"                  \
  "qadd r9, r9, r12\n qadd %[four], %[four], r12\n vmov " d0 ", " d1 ", r9, %[four]\n"
  ScanOfFour* pointers = &four;
  // s0-s3 u, f, h; s16-s19 -delta, s20-s23 delta x, s24-s27 y, s28 a coefficient, s31 where y goes.
  asm volatile(".syntax unified\n"
               "ldmia %[four], {r0-r6, r8, r9, r12}\n"
               "vldmia r5!, {s28}\n vldmia r6!, {s16-s19}\n vldmia r8!, {s4-s7}\n vldmia r9!, {s0-s3}\n"
               "vmov s31, r12\n add r12, #16\n add %[four], #24\n stmia %[four], {r6, r8, r9, r12}\n"
               "mov r12, #0x00800000\n"
               "vmul.f32 s20, s16, s4\n vmul.f32 s21, s17, s5\n vmul.f32 s22, s18, s6\n vmul.f32 s23, s19, s7\n"
               "vmul.f32 s24, s0, s4\n vmul.f32 s25, s1, s5\n vmul.f32 s26, s2, s6\n vmul.f32 s27, s3, s7\n"
               "vneg.f32 s16, s16\n vneg.f32 s17, s17\n vneg.f32 s18, s18\n vneg.f32 s19, s19\n"
               "1:\n"
               "vldmia r0, {s0-s3}\n add r0, r0, #64\n"
               "vmul.f32 s0, s16, s0\n vmul.f32 s1, s17, s1\n vmul.f32 s2, s18, s2\n vmul.f32 s3, s19, s3\n"
               "vcvtr.s32.f32 s4, s0\n vcvtr.s32.f32 s5, s1\n vcvtr.s32.f32 s29, s2\n vcvtr.s32.f32 s30, s3\n"
               "vcvt.f32.s32 s6, s4\n vcvt.f32.s32 s7, s5\n vcvt.f32.s32 s8, s29\n vcvt.f32.s32 s9, s30\n"
               "vsub.f32 s0, s6, s0\n vsub.f32 s1, s7, s1\n vsub.f32 s2, s8, s2\n vsub.f32 s3, s9, s3\n"
               KRAIT_DECAY_PAIR("s0", "s1", "s4", "s5", "s4", "s5")
               KRAIT_DECAY_PAIR("s2", "s3", "s29", "s30", "s6", "s7")
               "vldmia r1, {s8-s11}\n vldmia r2!, {s12}\n vldmia r3!, {s13}\n"
               "vmul.f32 s0, s20, s12\n vmul.f32 s1, s21, s12\n vmul.f32 s2, s22, s12\n vmul.f32 s3, s23, s12\n"
               "vfma.f32 s0, s4, s8\n vfma.f32 s1, s5, s9\n vfma.f32 s2, s6, s10\n vfma.f32 s3, s7, s11\n"
               "vstmia r1, {s0-s3}\n add r1, r1, #64\n"
               "vfma.f32 s24, s13, s0\n vfma.f32 s25, s13, s1\n vfma.f32 s26, s13, s2\n vfma.f32 s27, s13, s3\n"
               "subs r4, r4, #1\n bne 1b\n"
               "vmov r6, s31\n vstmia r6, {s24-s27}\n"
               : [four] "+&r"(pointers)
               :
               : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r12", KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
#undef KRAIT_DECAY_PAIR
}
#endif

#ifdef KRAIT_CORTEX_M_HELIUM
// y = silu(x), or y * silu(x), for channels in fours; y may be x. As in the scan, Helium computes what denormal numbers
// do not change: e^-x, 1 for them. The table: -87.3, log2(e) as a sum of two, the coefficients of exp2_polynomial. Here
// n = round(x log2(e)), so e^-x = p(f) * 2^-n; where x is large and f may be anything, this is below 2^-24 or, if it is
// negative, made 0, and 1 + e^-x is 1 all the same.
template <bool times_y>
HWY_INLINE void silu_in_fours(const float* table, const float* x, float* y, std::size_t channels) {
  // q0 x, q1 n, q2 f, q3 e^-x, q4 y, q5 -87.3, q6 the first coefficient, q7 0; r0-r5, r12 the rest of the table.
  const struct {
    const float *table, *x;
    float* y;
    std::size_t fours;
  } at{table, x, y, channels / 4};
  asm volatile(".syntax unified\n"
               "ldmia %[at], {r0, r9, r10, r12}\n dls lr, r12\n ldmia r0!, {r1-r3, r12}\n"
               "vdup.32 q5, r1\n vdup.32 q6, r12\n vmov.i32 q7, #0\n ldmia r0, {r0, r1, r4, r5, r12}\n"
               "1:\n"
               "vldrw.u32 q0, [r9], #16\n vcmp.f32 gt, q5, q0\n vpsel q0, q5, q0\n"
               "vmul.f32 q1, q0, r2\n vcvtn.s32.f32 q1, q1\n vcvt.f32.s32 q2, q1\n"
               "vneg.f32 q3, q0\n vfma.f32 q2, q3, r2\n vfma.f32 q2, q3, r3\n"
               "vmov q3, q6\n vfmas.f32 q3, q2, r0\n vfmas.f32 q3, q2, r1\n vfmas.f32 q3, q2, r4\n vfmas.f32 q3, q2, r5\n"
               "vfmas.f32 q3, q2, r12\n"
               "vqshl.s32 q1, q1, #23\n vqsub.s32 q3, q3, q1\n vmax.s32 q3, q3, q7\n vadd.f32 q3, q3, r12\n"
               "vdiv.f32 s0, s0, s12\n vdiv.f32 s1, s1, s13\n vdiv.f32 s2, s2, s14\n vdiv.f32 s3, s3, s15\n"
               ".if %c[times_y]\n"
               "vldrw.u32 q4, [r10]\n"
               "vmul.f32 s0, s16, s0\n vmul.f32 s1, s17, s1\n vmul.f32 s2, s18, s2\n vmul.f32 s3, s19, s3\n"
               ".endif\n"
               "vstrw.32 q0, [r10], #16\n"
               "le lr, 1b\n"
               :
               : [at] "r"(&at), [times_y] "i"(times_y)
               : "r0", "r1", "r2", "r3", "r4", "r5", "r9", "r10", "r12", "lr", KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
}

// x = softplus(x) for channels in fours: no result is denormal, and denormal x give what 0 gives. The table: 87.3,
// log2(e) as a sum of two, the coefficients of exp2_polynomial, then those of add_log1p, each four times.
HWY_INLINE void softplus_in_fours(const float* table, float* x, std::size_t channels) {
  // q0 x, then max(x, 0); q1 n, then e^-|x|; q2 |x|, then f; q3 p; q4 a coefficient; q5 87.3; q6 the first; q7 0.
  const struct {
    const float* table;
    float* x;
    std::size_t fours;
  } at{table, x, channels / 4};
  asm volatile(".syntax unified\n"
               "ldmia %[at], {r0, r9, r12}\n dls lr, r12\n ldmia r0!, {r1-r3, r12}\n add r10, r0, #20\n"
               "vdup.32 q5, r1\n vdup.32 q6, r12\n vmov.i32 q7, #0\n ldmia r0, {r0, r1, r4, r5, r12}\n"
               "1:\n"
               "vldrw.u32 q0, [r9]\n vabs.f32 q2, q0\n vcmp.f32 gt, q2, q5\n vpsel q2, q5, q2\n vmax.s32 q0, q0, q7\n"
               "vmul.f32 q1, q2, r2\n vcvtn.s32.f32 q1, q1\n vcvt.f32.s32 q3, q1\n vneg.f32 q2, q2\n"
               "vfma.f32 q3, q2, r2\n vfma.f32 q3, q2, r3\n vmov q2, q3\n"
               "vmov q3, q6\n vfmas.f32 q3, q2, r0\n vfmas.f32 q3, q2, r1\n vfmas.f32 q3, q2, r4\n vfmas.f32 q3, q2, r5\n"
               "vfmas.f32 q3, q2, r12\n"
               "vshl.s32 q1, q1, #23\n vsub.i32 q1, q3, q1\n"
               "vldrw.u32 q3, [r10], #16\n"
               ".rept 4\n"
               "vldrw.u32 q4, [r10], #16\n vfma.f32 q4, q3, q1\n vldrw.u32 q3, [r10], #16\n vfma.f32 q3, q4, q1\n"
               ".endr\n"
               "sub r10, #144\n vfma.f32 q0, q3, q1\n vstrw.32 q0, [r9], #16\n"
               "le lr, 1b\n"
               :
               : [at] "r"(&at)
               : "r0", "r1", "r2", "r3", "r4", "r5", "r9", "r10", "r12", "lr", KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
}
#else
// y = silu(x), or y * silu(x), for channels in fours; y may be x. The table: the first coefficient, -87.3, log2(e) as a
// sum of two, then the pairs of exp2_polynomial. Here n = round(x log2(e)), so e^-x = p(f) * 2^-n. From 88 on n stops
// at 127, and from 2^24 on f may be anything, but p(f) * 2^-127 is below 2^-24 or, where it is negative, made 0, and 1
// + e^-x is 1 all the same.
template <bool times_y>
HWY_INLINE void silu_in_fours(const float* table, const float* x, float* y, std::size_t channels) {
  std::uint32_t r0, r1, r2, r3;
#define KRAIT_CLAMP(x) "vcmpe.f32 " x ", s29\n vmrs APSR_nzcv, fpscr\n it mi\n vmovmi.f32 " x ", s29\n"
#define KRAIT_POWER_PAIR(f0, f1, n0, n1)                                                            \
  KRAIT_EXP2_PAIR("%[table]", f0, f1)                                                               \
  "vmov %[r0], %[r1], " n0 ", " n1 "\n vmov %[r2], %[r3], s14, s15\n"                               \
  "ssat %[r0], #8, %[r0]\n ssat %[r1], #8, %[r1]\n lsl %[r0], %[r0], #23\n lsl %[r1], %[r1], #23\n" \
  "qsub %[r2], %[r2], %[r0]\n qsub %[r3], %[r3], %[r1]\n"                                           \
  "usat %[r2], #31, %[r2]\n usat %[r3], #31, %[r3]\n vmov " n0 ", " n1 ", %[r2], %[r3]\n"
  asm volatile(".syntax unified\n"
               "vldmia %[table]!, {s28-s31}\n vmov.f32 s24, #1.0\n"
               "1:\n"
               "vldmia %[x]!, {s0-s3}\n"
               KRAIT_CLAMP("s0") KRAIT_CLAMP("s1") KRAIT_CLAMP("s2") KRAIT_CLAMP("s3")
               "vmul.f32 s16, s0, s30\n vmul.f32 s17, s1, s30\n vmul.f32 s18, s2, s30\n vmul.f32 s19, s3, s30\n"
               "vcvtr.s32.f32 s16, s16\n vcvtr.s32.f32 s17, s17\n vcvtr.s32.f32 s18, s18\n vcvtr.s32.f32 s19, s19\n"
               "vcvt.f32.s32 s20, s16\n vcvt.f32.s32 s21, s17\n vcvt.f32.s32 s22, s18\n vcvt.f32.s32 s23, s19\n"
               "vfms.f32 s20, s0, s30\n vfms.f32 s21, s1, s30\n vfms.f32 s22, s2, s30\n vfms.f32 s23, s3, s30\n"
               "vfms.f32 s20, s0, s31\n vfms.f32 s21, s1, s31\n vfms.f32 s22, s2, s31\n vfms.f32 s23, s3, s31\n"
               KRAIT_POWER_PAIR("s20", "s21", "s16", "s17")
               KRAIT_POWER_PAIR("s22", "s23", "s18", "s19")
               "vadd.f32 s16, s16, s24\n vadd.f32 s17, s17, s24\n vadd.f32 s18, s18, s24\n vadd.f32 s19, s19, s24\n"
               "vdiv.f32 s0, s0, s16\n vdiv.f32 s1, s1, s17\n vdiv.f32 s2, s2, s18\n vdiv.f32 s3, s3, s19\n"
               ".if %c[times_y]\n"
               "vldmia %[y], {s4-s7}\n"
               "vmul.f32 s0, s4, s0\n vmul.f32 s1, s5, s1\n vmul.f32 s2, s6, s2\n vmul.f32 s3, s7, s3\n"
               ".endif\n"
               "vstmia %[y]!, {s0-s3}\n"
               "subs %[n], %[n], #4\n bne 1b\n"
               : [table] "+&r"(table), [x] "+&r"(x), [y] "+&r"(y), [n] "+&r"(channels),
                 [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3)
               : [times_y] "i"(times_y)
               : KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
#undef KRAIT_CLAMP
#undef KRAIT_POWER_PAIR
}

// x = softplus(x) for channels in fours. The table: that of silu_in_fours with +87.3, then the coefficients of
// add_log1p, the first one once, the others twice.
HWY_INLINE void softplus_in_fours(const float* table, float* x, std::size_t channels) {
  const float* log1p = table + 14;
  std::uint32_t r0, r1, r2, r3;
#define KRAIT_CLAMP(a, x) \
  "vabs.f32 " a ", " x "\n vcmpe.f32 " a ", s29\n vmrs APSR_nzcv, fpscr\n it gt\n vmovgt.f32 " a ", s29\n"
#define KRAIT_POSITIVE(x) "vcmpe.f32 " x ", #0.0\n vmrs APSR_nzcv, fpscr\n it mi\n vmovmi.f32 " x ", s27\n"
#define KRAIT_POWER_PAIR(f0, f1, n0, n1, u0, u1)                      \
  KRAIT_EXP2_PAIR("%[table]", f0, f1)                                 \
  "vmov %[r0], %[r1], " n0 ", " n1 "\n vmov %[r2], %[r3], s14, s15\n" \
  "sub %[r2], %[r2], %[r0], lsl #23\n sub %[r3], %[r3], %[r1], lsl #23\n vmov " u0 ", " u1 ", %[r2], %[r3]\n"
#define KRAIT_LOG_PAIR(u0, u1, base0, base1)                                                                        \
  "vldmia %[log1p], {s6-s21}\n"                                                                                     \
  "vfma.f32 s6, s26, " u0 "\n vfma.f32 s7, s26, " u1 "\n vfma.f32 s8, s6, " u0 "\n vfma.f32 s9, s7, " u1 "\n"       \
  "vfma.f32 s10, s8, " u0 "\n vfma.f32 s11, s9, " u1 "\n vfma.f32 s12, s10, " u0 "\n vfma.f32 s13, s11, " u1 "\n"   \
  "vfma.f32 s14, s12, " u0 "\n vfma.f32 s15, s13, " u1 "\n vfma.f32 s16, s14, " u0 "\n vfma.f32 s17, s15, " u1 "\n" \
  "vfma.f32 s18, s16, " u0 "\n vfma.f32 s19, s17, " u1 "\n vfma.f32 s20, s18, " u0 "\n vfma.f32 s21, s19, " u1 "\n" \
  "vfma.f32 " base0 ", s20, " u0 "\n vfma.f32 " base1 ", s21, " u1 "\n"
  asm volatile(".syntax unified\n"
               "vldmia %[table]!, {s28-s31}\n vldmia %[log1p]!, {s26}\n vsub.f32 s27, s26, s26\n"
               "1:\n"
               "vldmia %[x], {s0-s3}\n"
               KRAIT_CLAMP("s4", "s0") KRAIT_CLAMP("s5", "s1") KRAIT_CLAMP("s6", "s2") KRAIT_CLAMP("s7", "s3")
               KRAIT_POSITIVE("s0") KRAIT_POSITIVE("s1") KRAIT_POSITIVE("s2") KRAIT_POSITIVE("s3")
               "vmul.f32 s16, s4, s30\n vmul.f32 s17, s5, s30\n vmul.f32 s18, s6, s30\n vmul.f32 s19, s7, s30\n"
               "vcvtr.s32.f32 s16, s16\n vcvtr.s32.f32 s17, s17\n vcvtr.s32.f32 s18, s18\n vcvtr.s32.f32 s19, s19\n"
               "vcvt.f32.s32 s20, s16\n vcvt.f32.s32 s21, s17\n vcvt.f32.s32 s22, s18\n vcvt.f32.s32 s23, s19\n"
               "vfms.f32 s20, s4, s30\n vfms.f32 s21, s5, s30\n vfms.f32 s22, s6, s30\n vfms.f32 s23, s7, s30\n"
               "vfms.f32 s20, s4, s31\n vfms.f32 s21, s5, s31\n vfms.f32 s22, s6, s31\n vfms.f32 s23, s7, s31\n"
               KRAIT_POWER_PAIR("s20", "s21", "s16", "s17", "s4", "s5")
               KRAIT_POWER_PAIR("s22", "s23", "s18", "s19", "s24", "s25")
               KRAIT_LOG_PAIR("s4", "s5", "s0", "s1")
               KRAIT_LOG_PAIR("s24", "s25", "s2", "s3")
               "vstmia %[x]!, {s0-s3}\n"
               "subs %[n], %[n], #4\n bne 1b\n"
               : [table] "+&r"(table), [log1p] "+&r"(log1p), [x] "+&r"(x), [n] "+&r"(channels),
                 [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3)
               :
               : KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
#undef KRAIT_CLAMP
#undef KRAIT_POSITIVE
#undef KRAIT_POWER_PAIR
#undef KRAIT_LOG_PAIR
}
#endif
#undef KRAIT_EXP2_PAIR

// The convolution of one token for four neighbouring channels, see conv1d_rows: taps [past + 1][16], window [past][16],
// the start of the four sums, x, which becomes y.
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

// Where the i-th of a row's 16-bit inputs rests: SXTB16 widens bytes 0 and 2, then 1 and 3, of a word of weights, so
// inputs that are multiplied by them stand in that order. Helium has plain rows.
#ifdef __ARM_FEATURE_MVE
constexpr std::size_t input_place(std::size_t i) { return i; }
#define KRAIT_PACK_FOUR "pkhbt %[r0], %[r0], %[r1], lsl #16\n pkhbt %[r1], %[r2], %[r3], lsl #16\n"
#else
#define KRAIT_CORTEX_M_DSP 1
constexpr std::size_t input_place(std::size_t i) { return (i & ~std::size_t{3}) | (i & 1) << 1 | (i >> 1 & 1); }
#define KRAIT_PACK_FOUR "pkhbt %[r0], %[r0], %[r2], lsl #16\n pkhbt %[r1], %[r1], %[r3], lsl #16\n"
#endif

// The largest of `least`, which is not negative, and the magnitudes of n floats, n = 4, 8, ..., as whole numbers.
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

// q = x * inverse rounded, as round_shifted does it, for n floats, n = 4, 8, ...; in the order of input_place.
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
               KRAIT_PACK_FOUR
               "strd %[r0], %[r1], [%[q]], #8\n"
               "subs %[n], %[n], #4\n bne 1b\n"
               : [x] "+&r"(x), [q] "+&r"(q), [n] "+&r"(n),
                 [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3)
               : [inverse] "t"(inverse), [shift] "t"(whole_shift)
               : "s0", "s1", "s2", "s3", "cc", "memory");
#undef KRAIT_PACK_FOUR
}

#ifdef KRAIT_CORTEX_M_DSP
// Neighbouring outputs of a linear layer with int8 weights: w [groups][8] of each, `skip` bytes between one group's
// weights and the next's; their scales; what is added; where they go; the step of the inputs q.
struct Int8Tile {
  const std::int8_t* w;
  const std::int16_t* q;
  std::size_t groups, skip;
  const float *scales, *start;
  float *y, step;
};

// y = (sum of w q) * (scale * step) + start for 16 or 4 outputs. The sums are in s0-s15, from where two at a time come
// to r0 and r1; s28 groups, s29 skip, s31 the tile. Registers are named: there are too few to leave their choice to a
// compiler.
#define KRAIT_EIGHT(sum, low, high)                                 \
  "sxtb16 r12, " low "\n smlad " sum ", r12, r2, " sum "\n"         \
  "sxtb16 r12, " low ", ror #8\n smlad " sum ", r12, r3, " sum "\n" \
  "sxtb16 r12, " high "\n smlad " sum ", r12, r4, " sum "\n"        \
  "sxtb16 r12, " high ", ror #8\n smlad " sum ", r12, r5, " sum "\n"
#define KRAIT_SUM_PAIR(a, b)                               \
  "vmov r0, r1, " a ", " b "\n ldmia r11!, {r6, r8-r10}\n" \
  KRAIT_EIGHT("r0", "r6", "r8") KRAIT_EIGHT("r1", "r9", "r10") "vmov " a ", " b ", r0, r1\n"
#define KRAIT_SCALE_FOUR(a, b, c, d)                                                                                \
  "vldmia r0!, {s16-s19}\n vldmia r1!, {s20-s23}\n"                                                                 \
  "vmul.f32 s16, s16, s24\n vmul.f32 s17, s17, s24\n vmul.f32 s18, s18, s24\n vmul.f32 s19, s19, s24\n"             \
  "vcvt.f32.s32 " a ", " a "\n vcvt.f32.s32 " b ", " b "\n vcvt.f32.s32 " c ", " c "\n vcvt.f32.s32 " d ", " d "\n" \
  "vfma.f32 s20, " a ", s16\n vfma.f32 s21, " b ", s17\n vfma.f32 s22, " c ", s18\n vfma.f32 s23, " d ", s19\n"     \
  "vstmia r2!, {s20-s23}\n"
#define KRAIT_TILE(zeros, pairs, scaled)                                                                          \
  asm volatile(".syntax unified\n"                                                                                \
               "vmov s31, %[at]\n ldr r11, [%[at]]\n ldrd r0, r1, [%[at], #8]\n"                                  \
               "vmov s28, s29, r0, r1\n ldr %[at], [%[at], #4]\n"                                                 \
               "movs r0, #0\n" zeros "1:\n ldmia %[at]!, {r2-r5}\n" pairs                                         \
               "vmov r0, r1, s28, s29\n add r11, r1\n subs r0, #1\n vmov s28, r0\n bne 1b\n"                      \
               "vmov %[at], s31\n add %[at], #16\n ldmia %[at], {r0-r3}\n vmov s24, r3\n" scaled                  \
               : [at] "+&r"(at)                                                                                   \
               :                                                                                                  \
               : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", KRAIT_FLOATS_0_TO_15, \
                 KRAIT_FLOATS_16_TO_31, "cc", "memory")
HWY_NOINLINE inline void multiply_int8(std::integral_constant<std::size_t, 16>, const Int8Tile& tile) {
  const Int8Tile* at = &tile;
  KRAIT_TILE("vmov s0, s1, r0, r0\n vmov s2, s3, r0, r0\n vmov s4, s5, r0, r0\n vmov s6, s7, r0, r0\n"
             "vmov s8, s9, r0, r0\n vmov s10, s11, r0, r0\n vmov s12, s13, r0, r0\n vmov s14, s15, r0, r0\n",
             KRAIT_SUM_PAIR("s0", "s1") KRAIT_SUM_PAIR("s2", "s3") KRAIT_SUM_PAIR("s4", "s5") KRAIT_SUM_PAIR("s6", "s7")
             KRAIT_SUM_PAIR("s8", "s9") KRAIT_SUM_PAIR("s10", "s11")
             KRAIT_SUM_PAIR("s12", "s13") KRAIT_SUM_PAIR("s14", "s15"),
             KRAIT_SCALE_FOUR("s0", "s1", "s2", "s3") KRAIT_SCALE_FOUR("s4", "s5", "s6", "s7")
             KRAIT_SCALE_FOUR("s8", "s9", "s10", "s11") KRAIT_SCALE_FOUR("s12", "s13", "s14", "s15"));
}
HWY_NOINLINE inline void multiply_int8(std::integral_constant<std::size_t, 4>, const Int8Tile& tile) {
  const Int8Tile* at = &tile;
  KRAIT_TILE("vmov s0, s1, r0, r0\n vmov s2, s3, r0, r0\n", KRAIT_SUM_PAIR("s0", "s1") KRAIT_SUM_PAIR("s2", "s3"),
             KRAIT_SCALE_FOUR("s0", "s1", "s2", "s3"));
}
#undef KRAIT_EIGHT
#undef KRAIT_SUM_PAIR
#undef KRAIT_SCALE_FOUR
#undef KRAIT_TILE
#endif

#undef KRAIT_FLOATS_0_TO_15
#undef KRAIT_FLOATS_16_TO_31

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
#endif
