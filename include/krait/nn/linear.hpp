#ifndef KRAIT_NN_LINEAR_HPP
#define KRAIT_NN_LINEAR_HPP

#include <array>
#include <cstdint>

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"
#include "krait/layout/params.hpp"

namespace krait {

// The scratch of linear layers with at most d_in inputs. With int8 weights, it holds the inputs of `tokens` tokens, quantised
// to 16-bit integers. With other storage types, it is empty.
template <std::size_t tokens, std::size_t d_in, Storage storage>
struct LinearScratch : NoScratch<tokens> {};
template <std::size_t tokens, std::size_t d_in>
struct LinearScratch<tokens, d_in, Storage::int8> {
  static constexpr std::size_t chunk = tokens;
  static constexpr std::size_t stride = padded(d_in);
  alignas(64) std::array<std::int16_t, tokens * stride> inputs;
  std::array<InputScale, tokens> scales;
};

namespace detail {
template <LinearDims dims>
consteval bool check_linear() {
  static_assert(check::got<dims.d_in>::template at_least<1>, "krait::Linear<dims>: d_in must be at least 1");
  static_assert(check::got<dims.d_out>::template at_least<1>, "krait::Linear<dims>: d_out must be at least 1");
  return true;
}
template <LinearDims dims, RowLayout order>
struct LinearFacts {
  static_assert(check_linear<dims>());
  static constexpr std::size_t d_in = dims.d_in;
  static constexpr std::size_t d_out = dims.d_out;
  static constexpr std::size_t padded_out = order.padded_rows();
  static constexpr bool has_bias = dims.bias;
  static constexpr std::size_t multiply_adds = dims.d_in * dims.d_out;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = LinearScratch<tokens, dims.d_in, dims.storage>;
};
}  // namespace detail

// Linear is a linear layer: y = weight x (+ bias), where x is [d_in] and y is [d_out]. Without a bias, there is no member
// `bias`. To compute an output, fused multiply-adds add the products to the bias (or 0) one after the other, in ascending order
// of the inputs. With int8 weights, the sum of the products is an exact integer, and one fused multiply-add multiplies it by
// the scale and adds the bias.
template <LinearDims dims, RowLayout order = plain(dims.d_out)>
struct Linear : detail::LinearFacts<dims, order> {
  KRAIT_PARAMS(Linear,
    (Matrix<order, dims.d_in, dims.storage>, weight));  // shape [d_out, d_in]
};

template <LinearDims dims, RowLayout order>
  requires(dims.bias)
struct Linear<dims, order> : detail::LinearFacts<dims, order> {
  KRAIT_PARAMS(Linear,
    (Matrix<order, dims.d_in, dims.storage>, weight),  // shape [d_out, d_in]
    (Vector<order>, bias));              // shape [d_out]
};

}  // namespace krait

#endif
