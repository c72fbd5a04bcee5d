// Linear layers with int8 weights, for this target. Inputs are rounded to 16-bit integers and the sums of products are exact, so
// each target computes them in the order that suits it. y = sum * (scale of the output * step of the inputs) + bias.
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
