// Includes the implementation of linear layers with int8 weights for the current Highway target: scalar, any vector unit, or
// AVX-512 VNNI. Inputs are rounded to 16-bit integers, and sums of products are exact integers, so every target may add the
// products in the order that suits it.
#if defined(KRAIT_KERNELS_INT8_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_INT8_INL_HPP
#undef KRAIT_KERNELS_INT8_INL_HPP
#else
#define KRAIT_KERNELS_INT8_INL_HPP
#endif

#include "krait/kernels/int8_inputs-inl.hpp"
#include "krait/kernels/int8_scalar-inl.hpp"
#include "krait/kernels/int8_vector-inl.hpp"
#include "krait/kernels/x86/int8_vnni-inl.hpp"

#endif
