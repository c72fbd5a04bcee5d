// Contains assembly loops for Cortex-M cores with Helium, such as the Cortex-M55, that compute Mamba's recurrence and the
// activation functions. A vector holds four channels.
#if defined(KRAIT_KERNELS_ARM_HELIUM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ARM_HELIUM_INL_HPP
#undef KRAIT_KERNELS_ARM_HELIUM_INL_HPP
#else
#define KRAIT_KERNELS_ARM_HELIUM_INL_HPP
#endif

#include "krait/kernels/target-inl.hpp"

#ifdef KRAIT_CORTEX_M_HELIUM
KRAIT_BEGIN_TARGET

// Computes the recurrence of one token for four channels, and advances the pointers in `four` to the next four channels.
//   h[n] = 2^t h[n] + (delta x) B[n], where t = delta A2[n];   y = D x + C[0] h[0] + C[1] h[1] + ...
// Helium's float instructions flush denormal numbers to 0, so vector instructions compute only the decay 2^t, which flushing
// does not change: 2^f is 1 for a denormal f, and all other intermediate results are normal. Scalar FPU instructions compute
// the rest. The decay is computed with u = -t >= 0, n = round(u), f = n - u and the integer bits(p(f)) - n * 2^23, where p is
// exp2_polynomial. A negative integer, for which 2^t must be 0, is replaced by 0. If t is NaN, n is 0 and the integer is
// positive, so NaN is propagated. For u >= 2^31, where the conversion to an integer saturates, f is far below 0 and p(f)
// negative, so the decay is 0.
HWY_INLINE void scan_four_channels(ScanOfFour& four) {
  ScanOfFour* pointers = &four;
  // Registers: q0 holds u, then f, then the new h; q1 holds n; q2 holds n as a float, then the old h. q3 holds the decay, q4
  // -delta, q5 delta x, q6 y, and s28 the address of y. r4, r5, r6, r8, r9 and finally the register of `four` hold the
  // polynomial's coefficients. If the loop used one more core register, none would be left for `four` in some builds.
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
               "vqshl.s32 q1, q1, #23\n vqsub.s32 q3, q3, q1\n vmov.i32 q1, #0\n vmax.s32 q3, q3, q1\n"
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

// Computes y = SiLU(x), or y = y * SiLU(x) if times_y is true, for a number of channels that is a multiple of 4. y may be x.
// Vector instructions flush denormal numbers to 0. They compute only 1 + e^-x, which is 2 for a denormal x and for 0. Scalar
// FPU instructions, which do not flush, compute the quotient x / (1 + e^-x) and the product with y.
// The assembly computes n = round(x log2(e)), f = n - x log2(e) and e^-x = 2^-n p(f), where p is exp2_polynomial. For a large
// x, rounding may move f out of [-1/2, 1/2], where p(f) is not 2^f. The result is right all the same, because 2^-n p(f) is then
// below 2^-24, or negative and replaced by 0, and 1 + e^-x is 1 in both cases.
// `table` contains -87.3, log2(e) as the sum of two floats, and the coefficients of exp2_polynomial.
template <bool times_y>
HWY_INLINE void silu_in_fours(const float* table, const float* x, float* y, std::size_t channels) {
  // Registers: q0 holds x, q1 n = round(x log2(e)), q2 f = n - x log2(e), q3 e^-x, q4 y, q5 -87.3, q6 the first coefficient of
  // the polynomial, q7 0, and r0 to r5 and r12 the other constants.
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

// Computes x = softplus(x) in place for a number of channels that is a multiple of 4. Helium flushes denormal numbers to 0.
// This does not change the result, because softplus of a denormal x equals softplus of 0, and no result is denormal. `table`
// contains 87.3, log2(e) as the sum of two floats, the coefficients of exp2_polynomial once each, and the coefficients of
// add_log1p four times each.
HWY_INLINE void softplus_in_fours(const float* table, float* x, std::size_t channels) {
  // softplus(x) = max(x, 0) + log(1 + e^-|x|), where |x| is limited to 87.3. With n = round(|x| log2(e)) and f = n - |x|
  // log2(e), e^-|x| is 2^-n exp2_polynomial(f). Registers: q0 holds x, then max(x, 0); q1 holds n, then e^-|x|; q2 holds |x|,
  // then f; q3 and q4 hold values and coefficients of the two polynomials; q5 holds 87.3, q6 the first coefficient of
  // exp2_polynomial, and q7 0.
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

KRAIT_END_TARGET

#endif
#endif
