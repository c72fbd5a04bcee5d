// Training of Linear layers: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_LINEAR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_LINEAR_INL_HPP
#undef KRAIT_TRAIN_LINEAR_INL_HPP
#else
#define KRAIT_TRAIN_LINEAR_INL_HPP
#endif

#include "krait/kernels/linear_backward-inl.hpp"
#include "krait/ops/linear-inl.hpp"
#include "krait/train/tape.hpp"

KRAIT_BEGIN_TARGET

// Sets the padding of n tokens with `channels` floats to 0, up to a multiple of 16.
HWY_INLINE void clear_padding(TokenSpan<float> x, std::size_t channels, std::size_t n) {
  if (const std::size_t padding = padded(channels) - channels; padding > 0)
    for (std::size_t t = 0; t < n; ++t) std::memset(x[t] + channels, 0, padding * sizeof(float));
}
// Copies n tokens with `channels` floats, and sets the padding of the copies to 0.
HWY_INLINE void copy_tokens_padded(TokenSpan<const float> from, TokenSpan<float> to, std::size_t channels, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) copy_padded(from[t], to[t], channels);
}

// Adds the gradients of a linear layer's weight and bias. dout has the outputs in the order in which the rows of the weight are
// stored.
template <LinearDims dims, RowLayout order, class G>
HWY_INLINE void add_weight_gradients(const Linear<dims, order>&, TokenSpan<const float> in, TokenSpan<const float> dout,
                                     G& gradients, std::size_t n) {
  if constexpr (krait::detail::is_trained<G>) {
    constexpr std::size_t N = order.padded_rows();
    if (float* weight = krait::detail::floats_of(krait::detail::gradient_of_member<0>(gradients)))
      linear_weight_gradient(in, dout, n, weight, N, dims.d_in);
    if constexpr (dims.bias)
      if (float* bias = krait::detail::floats_of(krait::detail::gradient_of_member<1>(gradients))) add_tokens(dout, n, bias, N);
  }
}
// Adds the gradients of a linear layer's weight and bias and, if dx is true, computes the gradient of its inputs, or adds it to
// din.
template <bool dx = true, LinearDims dims, RowLayout order, class G, class Columns>
HWY_INLINE void linear_backward(const Linear<dims, order>& layer, TokenSpan<const float> in, TokenSpan<const float> dout,
                                TokenSpan<float> din, G& gradients, std::size_t n, [[maybe_unused]] Columns& columns,
                                bool accumulate = false) {
  add_weight_gradients(layer, in, dout, gradients, n);
  if constexpr (dx)
    linear_input_gradient(layer.weight.data(), order.padded_rows(), dims.d_in, dout, din, n, accumulate, columns.values.data());
}

template <std::size_t tokens, LinearDims dims, RowLayout order, class Tape, class Work>
HWY_INLINE void record(const Linear<dims, order>& layer, NoState& state, Tape&, Work&, TokenSpan<const float> in,
                       TokenSpan<float> out, std::size_t n) {
  LinearScratch<tokens, dims.d_in, dims.storage> scratch;
  run<tokens>(layer, state, scratch, in, out, n);
}
template <std::size_t tokens, bool dx, LinearDims dims, RowLayout order, class Tape, class Work, class G>
HWY_INLINE void backward(const Linear<dims, order>& layer, Tape&, [[maybe_unused]] Work& work, TokenSpan<const float> in,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients, NoState*, std::size_t n) {
  if constexpr (dx) linear_backward(layer, in, dout.as_const(), din, gradients, n, work.columns);
  else add_weight_gradients(layer, in, dout.as_const(), gradients, n);
}

KRAIT_END_TARGET

#endif
