// Defines StridedConv1d, a convolution over time whose outputs combine all channels.
#ifndef KRAIT_NN_STRIDED_CONV1D_HPP
#define KRAIT_NN_STRIDED_CONV1D_HPP

#include <array>
#include <string_view>
#include <type_traits>

#include "krait/core/check.hpp"
#include "krait/layout/params.hpp"
#include "krait/nn/float_state.hpp"
#include "krait/nn/linear.hpp"

namespace krait {

namespace detail {
// Returns dims with every invalid size replaced by a valid one. Valid dims are unchanged.
KRAIT_INLINE constexpr StridedConv1dDims repaired(StridedConv1dDims dims) {
  if (dims.channels == 0) dims.channels = 1;
  if (dims.d_out == 0) dims.d_out = 1;
  if (dims.kernel == 0) dims.kernel = 1;
  if (dims.stride == 0) dims.stride = 1;
  if (dims.kernel % dims.stride != 0) dims.kernel = dims.stride;
  if (dims.padding % dims.stride != 0 || dims.padding > dims.kernel - dims.stride) dims.padding = 0;
  return dims;
}
template <StridedConv1dDims dims>
consteval bool check_strided_conv1d() {
  if constexpr (dims.channels == 0)
    static_assert(check::got<dims.channels>::template at_least<1>, "krait::StridedConv1d<dims>: channels must be at least 1");
  else if constexpr (dims.d_out == 0)
    static_assert(check::got<dims.d_out>::template at_least<1>, "krait::StridedConv1d<dims>: d_out must be at least 1");
  else if constexpr (dims.stride == 0)
    static_assert(check::got<dims.stride>::template at_least<1>, "krait::StridedConv1d<dims>: stride must be at least 1");
  else if constexpr (dims.kernel == 0)
    static_assert(check::got<dims.kernel>::template at_least<1>, "krait::StridedConv1d<dims>: kernel must be at least 1");
  else if constexpr (dims.kernel % dims.stride != 0)
    static_assert(check::got<dims.kernel>::template multiple_of<dims.stride>,
                  "krait::StridedConv1d<dims>: kernel must be a multiple of stride: add taps of zeros for the newest frames, as the last columns of the weight");
  else if constexpr (dims.padding % dims.stride != 0)
    static_assert(check::got<dims.padding>::template multiple_of<dims.stride>,
                  "krait::StridedConv1d<dims>: padding must be a multiple of stride: increase padding, and add the same number of taps of zeros for the oldest frames, as the first columns of the weight");
  else
    static_assert(check::got<dims.padding>::template at_most<dims.kernel - dims.stride>,
                  "krait::StridedConv1d<dims>: padding must be at most kernel - stride; with more padding, make the kernel longer by zeros in the last columns of the weight");
  return true;
}

template <StridedConv1dDims given>
struct StridedConv1dFacts {
  static_assert(check_strided_conv1d<given>());
  static constexpr StridedConv1dDims dims = repaired(given);
  static constexpr std::size_t d_in = dims.stride * dims.channels;
  static constexpr std::size_t d_out = dims.d_out;
  static constexpr std::size_t window = dims.kernel * dims.channels;  // number of floats that an output reads
  static constexpr std::size_t kept = window - d_in;                  // number of floats in the window from earlier tokens
  static constexpr std::size_t warm_up = (dims.kernel - dims.padding) / dims.stride - 1;
  static constexpr bool has_bias = dims.bias;
  static constexpr std::size_t multiply_adds = window * dims.d_out;
  static constexpr std::string_view structure_kind = "strided_conv1d";
  // The frames of the last kernel / stride - 1 tokens, oldest first, and, if there is a warm_up, the number of tokens so far,
  // which stops at warm_up.
  using State = std::conditional_t<(kept > 0), FloatState<kept, (warm_up > 0)>, NoState>;
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    // The number of floats that are read from the state itself. A step with int8 weights quantises them there, which needs less
    // memory than a copy; all other calls read a copy of the whole window.
    static constexpr std::size_t in_state = tokens == 1 && dims.storage == Storage::int8 ? kept / strip_width * strip_width : 0;
    alignas(64) std::array<float, padded(kept + tokens * d_in - in_state)> frames;  // the others, then the call's tokens
    [[no_unique_address]] LinearScratch<tokens, window, dims.storage> linear;
  };
};
}  // namespace detail

// StridedConv1d is a convolution over time, in which each output combines `kernel` frames of `channels` floats. Token number i
// consists of `stride` frames, one after the other, oldest first: frames i * stride to (i + 1) * stride - 1.
//   y[t] = bias + sum over j = 0 ... kernel - 1 and c of weight[:, j * channels + c] frame[t * stride + j - padding][c],
// where frames before the first are 0. y[t] is known when the last frame that it reads has arrived, so it is the output of
// token t + warm_up, where warm_up = (kernel - padding) / stride - 1. The first warm_up tokens of a sequence have no output.
// The results equal, bit for bit, those of a Linear layer with the same weight, applied to the `kernel` frames in ascending
// order.
template <StridedConv1dDims dims>
struct StridedConv1d : detail::StridedConv1dFacts<dims> {
  KRAIT_PARAMS(StridedConv1d,
    (Matrix<plain(dims.d_out), dims.kernel * dims.channels, dims.storage>, weight));  // shape [d_out, kernel * channels]
};

template <StridedConv1dDims dims>
  requires(dims.bias)
struct StridedConv1d<dims> : detail::StridedConv1dFacts<dims> {
  KRAIT_PARAMS(StridedConv1d,
    (Matrix<plain(dims.d_out), dims.kernel * dims.channels, dims.storage>, weight),  // shape [d_out, kernel * channels]
    (Vector<plain(dims.d_out)>, bias));                                              // shape [d_out]
};

}  // namespace krait

#endif
