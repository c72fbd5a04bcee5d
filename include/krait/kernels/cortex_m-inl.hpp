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
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

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
// round(u), f = n - u, and the bits of p(f) - n * 2^23 are not below 0; NaN, whose n is 0, is above.
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
#else
// The recurrence of one token for four channels; the table has each coefficient twice. It takes too many registers to
// leave their choice to the compiler. Two n a turn, since B and C then come by two.
//
// exp2_decay without its clamp: n = round(t) stops at -128, and bits(p(f)) + n * 2^23, which is below 0 where 2^t is to
// be 0, is saturated there. Below -2^31, where n is not t any more, f is far below 0 or -infinity and p below -2^30. NaN
// (n is 0 then) stays one, if its sign is +, as it is in A2 (DecayRates) and where the core makes one.
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
  // s0-s3 t, f, the decay; s16-s19 delta, s20-s23 delta x, s24-s27 y, s28 a coefficient; B in s30 and s31, C in s4 and s5.
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

// q = x * inverse rounded, as round_shifted does it, for n floats, n = 4, 8, ...
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

#ifndef __ARM_FEATURE_MVE
#define KRAIT_CORTEX_M_DSP 1
inline constexpr float six_zeros[6] = {};

// What multiply_int8 works on: 4 * quads neighbouring outputs.
struct Int8Tile {
  enum class Begin : std::uint32_t { with_two, with_one, with_half };  // groups
  const std::int16_t *q, *w;
  const float *scales, *start;
  float* y;
  std::size_t quads;
  const float* zeros;
  Begin begin;
  float step;
  std::size_t stride;  // bytes from one group's weights to the next's
  const std::int16_t* q_end;

  // w [groups][stride], see Weights<Storage::int8>, for K inputs q of this step. Groups go by two, an odd one first. A single
  // one with four columns at most is taken for a second half, which lies four numbers behind w.
  Int8Tile(const std::int16_t* w, std::size_t group_stride, std::size_t K, const std::int16_t* q, float step,
           const float* scales, const float* start, float* y, std::size_t quads)
      : q(q), w(K <= 4 ? w - 4 : w), scales(scales), start(start), y(y), quads(quads), zeros(six_zeros),
        begin(K <= 4 ? Begin::with_half : (K + 7) / 8 % 2 == 1 ? Begin::with_one : Begin::with_two),
        step(step), stride(group_stride * sizeof(*w)), q_end(q + (K <= 4 ? 4 : (K + 7) / 8 * 8)) {}
};

// y = (sum of w q) * (scale * step) + start. Pairs are 256 times a second output's weight plus a first one's: SMLALD adds
// their products to a sum of 64 bits, SXTB16 and SMLAD those of the firsts, and what is left of the former without the
// latter is 256 times the sum of the seconds. Three instructions for four products, where widening all weights takes four.
HWY_NOINLINE inline void multiply_int8(const Int8Tile& tile) {
  // There are just enough registers: r0-r2 and r3-r5 the sums of a pair (of both, 64 bits; of the first), r6 and r8 inputs, r9
  // and r10 weights, r11 q, r12 w, r7 the stride, lr the end of q; s12-s18 the tile's members, s19 where to begin, s20 the
  // step. r7, which may be a frame pointer, is kept in s21.
#define KRAIT_PAIR(low, high, first)                                                                       \
  "smlald " low ", " high ", r9, r6\n sxtb16 r9, r9\n smlad " first ", r9, r6, " first "\n"                \
  "smlald " low ", " high ", r10, r8\n sxtb16 r10, r10\n smlad " first ", r10, r8, " first "\n"
#define KRAIT_HALF_GROUP(pair0, pair1)                                       \
  "ldrd r6, r8, [r11], #8\n"                                                 \
  "ldrd r9, r10, [r12, #" pair0 "]\n" KRAIT_PAIR("r0", "r1", "r2")           \
  "ldrd r9, r10, [r12, #" pair1 "]\n" KRAIT_PAIR("r3", "r4", "r5")
#define KRAIT_SECOND(low, high, first)                                                \
  "subs " low ", " low ", " first "\n sbc " high ", " high ", " first ", asr #31\n" \
  "lsr " low ", " low ", #8\n orr " low ", " low ", " high ", lsl #24\n"
  register const Int8Tile* at asm("r0") = &tile;
  // adr counts from the address of its instruction rounded down to a multiple of 4, so the code is aligned to 4.
  asm volatile(".syntax unified\n.p2align 2\n"
               "vmov s21, r7\n"
               "vldmia %[at]!, {s12-s18}\n ldmia %[at], {r1, r2, r7, lr}\n vmov s20, r2\n"
               "adr.w r3, 1f\n cmp r1, #1\n it eq\n adreq.w r3, 2f\n it hi\n adrhi.w r3, 3f\n vmov s19, r3\n"
               "0:\n"
               "vmov r11, r12, s12, s13\n add r9, r12, #32\n vmov s13, r9\n"
               "vmov r9, r10, s18, s19\n ldmia r9, {r0-r5}\n mov pc, r10\n"
               "1:\n" KRAIT_HALF_GROUP("0", "16") KRAIT_HALF_GROUP("8", "24") "add r12, r12, r7\n"
               "2:\n" KRAIT_HALF_GROUP("0", "16")
               "3:\n" KRAIT_HALF_GROUP("8", "24") "add r12, r12, r7\n"
               "cmp r11, lr\n bne 1b\n"
               KRAIT_SECOND("r0", "r1", "r2") "vmov s0, s1, r2, r0\n"
               KRAIT_SECOND("r3", "r4", "r5") "vmov s2, s3, r5, r3\n"
               "vmov r6, r8, s14, s15\n vldmia r6!, {s4-s7}\n vldmia r8!, {s8-s11}\n vmov s14, s15, r6, r8\n"
               "vmul.f32 s4, s4, s20\n vmul.f32 s5, s5, s20\n vmul.f32 s6, s6, s20\n vmul.f32 s7, s7, s20\n"
               "vcvt.f32.s32 s0, s0\n vcvt.f32.s32 s1, s1\n vcvt.f32.s32 s2, s2\n vcvt.f32.s32 s3, s3\n"
               "vfma.f32 s8, s0, s4\n vfma.f32 s9, s1, s5\n vfma.f32 s10, s2, s6\n vfma.f32 s11, s3, s7\n"
               "vmov r9, r10, s16, s17\n vstmia r9!, {s8-s11}\n subs r10, r10, #1\n vmov s16, s17, r9, r10\n bne 0b\n"
               "vmov r7, s21\n"
               : [at] "+r"(at)
               :
               : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", KRAIT_FLOATS_0_TO_15,
                 "s16", "s17", "s18", "s19", "s20", "s21", "cc", "memory");
#undef KRAIT_PAIR
#undef KRAIT_HALF_GROUP
#undef KRAIT_SECOND
}
#endif

#undef KRAIT_FLOATS_0_TO_15
#undef KRAIT_FLOATS_16_TO_31

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
#endif
