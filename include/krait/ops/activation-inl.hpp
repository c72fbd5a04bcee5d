// Runs Activation layers, which apply a function, such as SiLU, to every channel of every token.
#if defined(KRAIT_OPS_ACTIVATION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_ACTIVATION_INL_HPP
#undef KRAIT_OPS_ACTIVATION_INL_HPP
#else
#define KRAIT_OPS_ACTIVATION_INL_HPP
#endif

#include "krait/kernels/activation-inl.hpp"
#include "krait/nn/activation.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, ActivationFunction function, std::size_t d_model>
HWY_INLINE void run(const Activation<function, d_model>&, NoState&, NoScratch<tokens>&,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) activation_row<function>(in[t], out[t], d_model);
}

KRAIT_END_TARGET

#endif
