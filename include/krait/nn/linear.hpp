#ifndef KRAIT_NN_LINEAR_HPP
#define KRAIT_NN_LINEAR_HPP

#include <array>
#include <cstdint>

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"
#include "krait/layout/params.hpp"

namespace krait {

// What linear layers of at most d_in inputs need while they run: where weights are int8, inputs rounded to 16 bits.
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

// y = weight x (+ bias). x [d_in], y [d_out]. A bias that is off is a member that is not there.
// One chain of fused multiply-adds for each output: from the bias (or 0), over the inputs in ascending order. With int8
// weights: one exact integer sum, which is then scaled and added to the bias in one fused multiply-add.
template <LinearDims dims, RowLayout order = plain(dims.d_out)>
struct Linear : detail::LinearFacts<dims, order> {
  KRAIT_PARAMS(Linear,
    (Matrix<order, dims.d_in, dims.storage>, weight));  // [d_out, d_in]
};

template <LinearDims dims, RowLayout order>
  requires(dims.bias)
struct Linear<dims, order> : detail::LinearFacts<dims, order> {
  KRAIT_PARAMS(Linear,
    (Matrix<order, dims.d_in, dims.storage>, weight),  // [d_out, d_in]
    (Vector<order>, bias));              // [d_out]
};

}  // namespace krait

#endif
