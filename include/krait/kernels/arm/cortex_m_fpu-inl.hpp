// Contains assembly loops for Cortex-M4F, M7 and M33 that compute Mamba's recurrence and the activation functions for four
// channels at a time, with scalar float instructions.
#if defined(KRAIT_KERNELS_ARM_CORTEX_M_FPU_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ARM_CORTEX_M_FPU_INL_HPP
#undef KRAIT_KERNELS_ARM_CORTEX_M_FPU_INL_HPP
#else
#define KRAIT_KERNELS_ARM_CORTEX_M_FPU_INL_HPP
#endif

#include "krait/kernels/target-inl.hpp"

#if defined(KRAIT_CORTEX_M_FPU) && !defined(KRAIT_CORTEX_M_HELIUM)
KRAIT_BEGIN_TARGET

// KRAIT_EXP2_PAIR computes exp2_polynomial of the registers f0 and f1, and returns the results in s14 and s15. The instruction
// vfma overwrites its addend, so the macro loads two copies of each coefficient from `table`, except for the first coefficient,
// which stays in s28.
#define KRAIT_EXP2_PAIR(table, f0, f1)                                                  \
  "vldmia " table ", {s6-s15}\n"                                                        \
  "vfma.f32 s6, s28, " f0 "\n vfma.f32 s7, s28, " f1 "\n vfma.f32 s8, s6, " f0 "\n"     \
  "vfma.f32 s9, s7, " f1 "\n vfma.f32 s10, s8, " f0 "\n vfma.f32 s11, s9, " f1 "\n"     \
  "vfma.f32 s12, s10, " f0 "\n vfma.f32 s13, s11, " f1 "\n vfma.f32 s14, s12, " f0 "\n" \
  "vfma.f32 s15, s13, " f1 "\n"

// Computes the recurrence of one token for four channels, and advances the pointers in `four` to the next four channels.
//   h[n] = 2^t h[n] + (delta x) B[n], where t = delta A2[n];   y = D x + C[0] h[0] + C[1] h[1] + ...
// Registers are assigned by hand, because the loop needs more registers than the compiler can allocate. An iteration processes
// two values of n, so that one instruction loads two elements of B or C.
//
// The decay 2^t equals exp2_decay(t), but t is not clamped. n = round(t) saturates at -128, f = t - n, and the decay is the
// float whose bits are the integer bits(p(f)) + n * 2^23, where p is exp2_polynomial. The integer is negative where 2^t must be
// 0, and a saturating instruction makes it 0. For t below -2^31, the conversion to an integer saturates, f is far below 0 and
// p(f) is below -2^30, so the decay is 0 as well. If t is NaN, n is 0, and NaN is propagated if its sign bit is 0. The sign bit
// is 0 for NaN in A2 (see DecayRates) and for NaN that the core generates.
HWY_INLINE void scan_four_channels(ScanOfFour& four) {
#define KRAIT_DECAY_PAIR(t0, t1, n0, n1)                             \
  "vmov r6, r8, " n0 ", " n1 "\n"                                    \
  KRAIT_EXP2_PAIR("r5", t0, t1)                                      \
  "ssat r6, #8, r6\n ssat r8, #8, r8\n vmov r9, %[four], s14, s15\n" \
  "add r9, r9, r6, lsl #23\n add %[four], %[four], r8, lsl #23\n"    \
  "usat r9, #31, r9\n usat %[four], #31, %[four]\n vmov " t0 ", " t1 ", r9, %[four]\n"
#define KRAIT_DECAYS                                                                                    \
  "vldmia r0, {s0-s3}\n add r0, r0, #64\n"                                                              \
  "vmul.f32 s0, s16, s0\n vmul.f32 s1, s17, s1\n vmul.f32 s2, s18, s2\n vmul.f32 s3, s19, s3\n"         \
  "vcvtr.s32.f32 s6, s0\n vcvtr.s32.f32 s7, s1\n vcvtr.s32.f32 s29, s2\n vcvtr.s32.f32 s30, s3\n"       \
  "vcvt.f32.s32 s8, s6\n vcvt.f32.s32 s9, s7\n vcvt.f32.s32 s10, s29\n vcvt.f32.s32 s11, s30\n"         \
  "vsub.f32 s0, s0, s8\n vsub.f32 s1, s1, s9\n vsub.f32 s2, s2, s10\n vsub.f32 s3, s3, s11\n"           \
  KRAIT_DECAY_PAIR("s0", "s1", "s6", "s7")                                                              \
  KRAIT_DECAY_PAIR("s2", "s3", "s29", "s30")
#define KRAIT_STATES(B, C)                                                                                     \
  "vldmia r1, {s12-s15}\n"                                                                                     \
  "vmul.f32 s8, s20, " B "\n vmul.f32 s9, s21, " B "\n vmul.f32 s10, s22, " B "\n vmul.f32 s11, s23, " B "\n"  \
  "vfma.f32 s8, s0, s12\n vfma.f32 s9, s1, s13\n vfma.f32 s10, s2, s14\n vfma.f32 s11, s3, s15\n"              \
  "vstmia r1, {s8-s11}\n add r1, r1, #64\n"                                                                    \
  "vfma.f32 s24, " C ", s8\n vfma.f32 s25, " C ", s9\n vfma.f32 s26, " C ", s10\n vfma.f32 s27, " C ", s11\n"
  ScanOfFour* pointers = &four;
  // Registers: s0 to s3 hold t, then f, then the decay. s16 to s19 hold delta, s20 to s23 delta x, s24 to s27 y, s28 the first
  // coefficient of the polynomial, s30 and s31 B[n] and B[n + 1], and s4 and s5 C[n] and C[n + 1].
  asm volatile(".syntax unified\n"
               "ldmia %[four], {r0-r6, r8, r9, r12}\n"
               "vldmia r5!, {s28}\n vldmia r6!, {s16-s19}\n vldmia r8!, {s4-s7}\n vldmia r9!, {s0-s3}\n"
               "add r12, #16\n add %[four], #24\n stmia %[four], {r6, r8, r9, r12}\n"
               "vmul.f32 s20, s16, s4\n vmul.f32 s21, s17, s5\n vmul.f32 s22, s18, s6\n vmul.f32 s23, s19, s7\n"
               "vmul.f32 s24, s0, s4\n vmul.f32 s25, s1, s5\n vmul.f32 s26, s2, s6\n vmul.f32 s27, s3, s7\n"
               "add r4, r4, #1\n lsrs r4, r4, #1\n bcs 1f\n"
               "vldmia r2!, {s31}\n vldmia r3!, {s5}\n b 2f\n"
               "1:\n" KRAIT_DECAYS
               "vldmia r2!, {s30, s31}\n vldmia r3!, {s4, s5}\n" KRAIT_STATES("s30", "s4")
               "2:\n" KRAIT_DECAYS KRAIT_STATES("s31", "s5")
               "subs r4, r4, #1\n bne 1b\n"
               "vstmdb r12!, {s24-s27}\n"
               : [four] "+&r"(pointers)
               :
               : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r12", KRAIT_FLOATS_0_TO_15,
                 KRAIT_FLOATS_16_TO_31, "cc", "memory");
#undef KRAIT_DECAYS
#undef KRAIT_STATES
#undef KRAIT_DECAY_PAIR
}

// Computes y = SiLU(x), or y = y * SiLU(x) if times_y is true, for a number of channels that is a multiple of 4. y may be x.
// The assembly computes n = round(x log2(e)), f = n - x log2(e) and e^-x = 2^-n p(f), where p is exp2_polynomial. Two steps are
// inexact for large x: for x >= 88, the exponent of 2^-n saturates at 127 (f is computed from the exact n), and for x >= 2^24,
// f may leave [-1/2, 1/2] by rounding, where p(f) is not 2^f. The result is right all the same: 2^-n p(f) is then below 2^-24,
// or negative and replaced by 0, so 1 + e^-x is 1. `table` contains the first coefficient of exp2_polynomial, -87.3, log2(e) as
// the sum of two floats, and the other coefficients twice each.
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

// Computes x = softplus(x) in place for a number of channels that is a multiple of 4. `table` is softplus_table: the constants
// of e^-|x|, where |x| is limited to 87.3, then the coefficients of add_log1p. All coefficients but the first of each
// polynomial are in the table twice, because they are loaded for two polynomials at a time.
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
#undef KRAIT_EXP2_PAIR

KRAIT_END_TARGET

#endif
#endif
