// Selects the assembly loops for Cortex-M cores with an FPU. Compiled C++ loops execute nearly twice the instructions, because
// compilers never load several floats with one instruction, and copy each constant of a polynomial before vfma overwrites it.
// The assembly loops apply the same operations in the same order as the portable loops, and give the same bits. Defines
// KRAIT_CORTEX_M_FPU if the assembly loops are used, KRAIT_CORTEX_M_HELIUM if the core has floating-point MVE (Cortex-M55), and
// KRAIT_CORTEX_M_DSP if int8 weights are multiplied with the DSP instructions (Cortex-M4, M7, M33).
#if defined(KRAIT_KERNELS_ARM_CORTEX_M_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_ARM_CORTEX_M_INL_HPP
#undef KRAIT_KERNELS_ARM_CORTEX_M_INL_HPP
#else
#define KRAIT_KERNELS_ARM_CORTEX_M_INL_HPP
#endif

#include "krait/kernels/target-inl.hpp"

#if HWY_TARGET == HWY_SCALAR && defined(__arm__) && defined(__thumb2__) && defined(__ARM_FEATURE_FMA) && \
    defined(__ARM_FEATURE_DSP) && !defined(__ARM_NEON) && defined(__OPTIMIZE__) && !defined(KRAIT_NO_ASSEMBLY)
#define KRAIT_CORTEX_M_FPU 1
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#define KRAIT_CORTEX_M_HELIUM 1
#endif
#ifndef __ARM_FEATURE_MVE
#define KRAIT_CORTEX_M_DSP 1
#endif

// Names of the FPU registers s0 to s15 and s16 to s31 for the clobber lists of asm statements.
#define KRAIT_FLOATS_0_TO_15 \
  "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15"
#define KRAIT_FLOATS_16_TO_31 \
  "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31"

#endif

#include "krait/kernels/arm/cortex_m_linear-inl.hpp"

#include "krait/kernels/arm/cortex_m_fpu-inl.hpp"
#include "krait/kernels/arm/cortex_m_heads-inl.hpp"
#include "krait/kernels/arm/cortex_m_int8-inl.hpp"
#include "krait/kernels/arm/helium-inl.hpp"

#endif
