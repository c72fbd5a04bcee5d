// Runs RmsNorm and LayerNorm layers, which normalise each token.
#if defined(KRAIT_OPS_NORM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_NORM_INL_HPP
#undef KRAIT_OPS_NORM_INL_HPP
#else
#define KRAIT_OPS_NORM_INL_HPP
#endif

#include "krait/kernels/norm-inl.hpp"
#include "krait/nn/norm.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, NormKind kind, NormDims dims>
HWY_INLINE void run(const Norm<kind, dims>& layer, NoState&, NoScratch<tokens>&,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t)
    norm_row<kind>(in[t], layer.weight.data(), bias_of(layer), dims.eps, out[t], dims.d_model);
}

KRAIT_END_TARGET

#endif
