#ifndef KRAIT_NN_RMS_NORM_HPP
#define KRAIT_NN_RMS_NORM_HPP

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"
#include "krait/layout/params.hpp"

namespace krait {

namespace detail {
template <NormDims dims>
consteval bool check_norm() {
  static_assert(check::got<dims.d_model>::template at_least<1>, "krait::RmsNorm<dims>: d_model must be at least 1");
  return true;
}
template <NormDims dims>
struct NormFacts {
  static_assert(check_norm<dims>());
  static constexpr bool works_in_place = true;
  static constexpr std::size_t d_in = dims.d_model;
  static constexpr std::size_t d_out = dims.d_model;
  static constexpr bool has_bias = dims.bias;
  static constexpr float eps = dims.eps;
  static constexpr std::size_t multiply_adds = dims.d_model;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};
}  // namespace detail

// RmsNorm is RMSNorm (arXiv 1910.07467): y = x / sqrt(mean(x^2) + eps) * weight (+ bias), over the d_model channels of a token.
// eps must be above 0; otherwise an input of zeros gives NaN. The sum of squares is 16 interleaved chains of fused
// multiply-adds, whose results are then added in a fixed order.
template <NormDims dims>
struct RmsNorm : detail::NormFacts<dims> {
  KRAIT_PARAMS(RmsNorm,
    (Vector<plain(dims.d_model)>, weight));  // shape [d_model]
};

template <NormDims dims>
  requires(dims.bias)
struct RmsNorm<dims> : detail::NormFacts<dims> {
  KRAIT_PARAMS(RmsNorm,
    (Vector<plain(dims.d_model)>, weight),  // shape [d_model]
    (Vector<plain(dims.d_model)>, bias));   // shape [d_model]
};

}  // namespace krait

#endif
