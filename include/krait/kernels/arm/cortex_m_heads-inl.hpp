// Contains an assembly loop for Cortex-M cores with an FPU that updates the states of four channels of a head, as in Mamba-2
// and Mamba-3.
#if defined(KRAIT_KERNELS_ARM_CORTEX_M_HEADS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ARM_CORTEX_M_HEADS_INL_HPP
#undef KRAIT_KERNELS_ARM_CORTEX_M_HEADS_INL_HPP
#else
#define KRAIT_KERNELS_ARM_CORTEX_M_HEADS_INL_HPP
#endif

#include "krait/kernels/target-inl.hpp"

#ifdef KRAIT_CORTEX_M_FPU
KRAIT_BEGIN_TARGET

// The arguments of update_states_of_four. h points to the first of four neighbouring channels in a state [d_state][16]. Each k
// and q are [d_state]. `values` contains the decay, then v of the four channels for each term. y is [4].
struct StatesOfFour {
  float* h;
  const float *k[2], *q;
  std::size_t d_state;
  const float* values;
  float* y;
};

// Computes h[n] = decay h[n] + v[0] k[0][n] + v[1] k[1][n] and y = y + q[0] h[0] + q[1] h[1] + ... for four channels. If
// `terms` is 1, the term v[1] k[1][n] is left out. An iteration processes two values of n, so that one instruction loads two
// elements of k or q.
template <std::size_t terms>
HWY_INLINE void update_states_of_four(const StatesOfFour& four) {
// With Helium, its stores and loops are used, because they need fewer instructions. Its float instructions are not used,
// because they flush denormal numbers to 0.
#ifdef KRAIT_CORTEX_M_HELIUM
#define KRAIT_STORE_STATES "vstrw.32 q2, [r0], #64\n"
#define KRAIT_START_LOOP "dls lr, r4\n"
#define KRAIT_NEXT "le lr, 1b\n"
#else
#define KRAIT_STORE_STATES "vstmia r0, {s8-s11}\n add r0, r0, #64\n"
#define KRAIT_START_LOOP ""
#define KRAIT_NEXT "subs r4, r4, #1\n bne 1b\n"
#endif
#define KRAIT_STATES(k0, k1, q)                                                                                      \
  "vldmia r0, {s0-s3}\n"                                                                                             \
  "vmul.f32 s8, s12, s0\n vmul.f32 s9, s12, s1\n vmul.f32 s10, s12, s2\n vmul.f32 s11, s12, s3\n"                    \
  "vfma.f32 s8, s16, " k0 "\n vfma.f32 s9, s17, " k0 "\n vfma.f32 s10, s18, " k0 "\n vfma.f32 s11, s19, " k0 "\n"    \
  ".if %c[terms] == 2\n"                                                                                             \
  "vfma.f32 s8, s20, " k1 "\n vfma.f32 s9, s21, " k1 "\n vfma.f32 s10, s22, " k1 "\n vfma.f32 s11, s23, " k1 "\n"    \
  ".endif\n"                                                                                                         \
  KRAIT_STORE_STATES                                                                                                 \
  "vfma.f32 s24, " q ", s8\n vfma.f32 s25, " q ", s9\n vfma.f32 s26, " q ", s10\n vfma.f32 s27, " q ", s11\n"
  // Registers: s0 to s3 hold the old h, s8 to s11 the new h, s12 the decay, s16 to s23 v, s24 to s27 y, s28 and s29 k[0][n] and
  // k[0][n + 1], s30 and s31 k[1][n] and k[1][n + 1], and s4 and s5 q[n] and q[n + 1].
  asm volatile(".syntax unified\n"
               "ldmia %[four], {r0-r6}\n"
               "vldmia r5!, {s12}\n vldmia r5!, {s16-s19}\n"
               ".if %c[terms] == 2\n vldmia r5, {s20-s23}\n .endif\n"
               "vldmia r6, {s24-s27}\n"
               "add r4, r4, #1\n lsrs r4, r4, #1\n" KRAIT_START_LOOP "bcs 1f\n"
               "vldmia r1!, {s29}\n vldmia r3!, {s5}\n"
               ".if %c[terms] == 2\n vldmia r2!, {s31}\n .endif\n"
               "b 2f\n"
               "1:\n"
               "vldmia r1!, {s28, s29}\n vldmia r3!, {s4, s5}\n"
               ".if %c[terms] == 2\n vldmia r2!, {s30, s31}\n .endif\n"
               KRAIT_STATES("s28", "s30", "s4")
               "2:\n" KRAIT_STATES("s29", "s31", "s5")
               KRAIT_NEXT
               "vstmia r6, {s24-s27}\n"
               :
               : [four] "r"(&four), [terms] "i"(terms)
               : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "lr", KRAIT_FLOATS_0_TO_15, KRAIT_FLOATS_16_TO_31, "cc", "memory");
#undef KRAIT_STATES
#undef KRAIT_STORE_STATES
#undef KRAIT_START_LOOP
#undef KRAIT_NEXT
}

KRAIT_END_TARGET

#endif
#endif
