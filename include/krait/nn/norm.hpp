// Defines RmsNorm and LayerNorm, which normalise the channels of each token.
#ifndef KRAIT_NN_NORM_HPP
#define KRAIT_NN_NORM_HPP

#include <string_view>

#include "krait/core/check.hpp"
#include "krait/layout/params.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

namespace detail {
template <NormDims dims>
consteval bool check_norm() {
  static_assert(check::got<dims.d_model>::template at_least<1>,
                "krait::RmsNorm<dims> and krait::LayerNorm<dims>: d_model must be at least 1");
  return true;
}
template <NormKind kind, NormDims dims>
struct NormFacts {
  static_assert(check_norm<dims>());
  static constexpr bool works_in_place = true;
  static constexpr std::size_t d_in = dims.d_model;
  static constexpr std::size_t d_out = dims.d_model;
  static constexpr bool has_bias = dims.bias;
  static constexpr float eps = dims.eps;
  static constexpr std::string_view structure_kind = kind == NormKind::layer ? "layer_norm" : "";
  static constexpr std::size_t multiply_adds = dims.d_model;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};
}  // namespace detail

// Norm normalises the d_model channels of a token. eps must be above 0; otherwise an input of zeros gives NaN. A sum over the
// channels consists of 16 partial sums, which are added in a fixed order; partial sum i contains channels i, i + 16, i + 32,
// ...
//   NormKind::rms     RMSNorm (arXiv 1910.07467):   y = x / sqrt(mean(x^2) + eps) * weight (+ bias)
//   NormKind::layer   LayerNorm (arXiv 1607.06450): y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * weight (+ bias)
template <NormKind kind, NormDims dims>
struct Norm : detail::NormFacts<kind, dims> {
  KRAIT_PARAMS(Norm,
    (Vector<plain(dims.d_model)>, weight));  // shape [d_model]
};

template <NormKind kind, NormDims dims>
  requires(dims.bias)
struct Norm<kind, dims> : detail::NormFacts<kind, dims> {
  KRAIT_PARAMS(Norm,
    (Vector<plain(dims.d_model)>, weight),  // shape [d_model]
    (Vector<plain(dims.d_model)>, bias));   // shape [d_model]
};

template <NormDims dims> using RmsNorm = Norm<NormKind::rms, dims>;
template <NormDims dims> using LayerNorm = Norm<NormKind::layer, dims>;

}  // namespace krait

#endif
