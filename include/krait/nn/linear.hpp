#ifndef KRAIT_NN_LINEAR_HPP
#define KRAIT_NN_LINEAR_HPP

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"
#include "krait/nn/params.hpp"

namespace krait {

namespace detail {
template <LinearDims dims>
consteval bool check_linear() {
  static_assert(check::got<dims.d_in>::template at_least<1>, "krait::Linear<dims>: d_in must be at least 1");
  static_assert(check::got<dims.d_out>::template at_least<1>, "krait::Linear<dims>: d_out must be at least 1");
  return true;
}
template <LinearDims dims, RowOrder order>
struct LinearFacts {
  static_assert(check_linear<dims>());
  static constexpr std::size_t d_in = dims.d_in;
  static constexpr std::size_t d_out = dims.d_out;
  static constexpr std::size_t padded_out = order.padded_rows();
  static constexpr bool has_bias = dims.bias;
  static constexpr std::size_t multiply_adds = dims.d_in * dims.d_out;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};
}  // namespace detail

// y = weight x (+ bias). x [d_in], y [d_out]. A bias that is off is a member that is not there.
// One chain of fused multiply-adds for each output: from the bias (or 0), over the inputs in ascending order.
template <LinearDims dims, RowOrder order = plain(dims.d_out)>
struct Linear : detail::LinearFacts<dims, order> {
  KRAIT_PARAMS(Linear,
    (Matrix<order, dims.d_in>, weight));  // [d_out, d_in]
};

template <LinearDims dims, RowOrder order>
  requires(dims.bias)
struct Linear<dims, order> : detail::LinearFacts<dims, order> {
  KRAIT_PARAMS(Linear,
    (Matrix<order, dims.d_in>, weight),  // [d_out, d_in]
    (Vector<order>, bias));              // [d_out]
};

}  // namespace krait

#endif
