// Training of StridedConv1d layers: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_STRIDED_CONV1D_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_STRIDED_CONV1D_INL_HPP
#undef KRAIT_TRAIN_STRIDED_CONV1D_INL_HPP
#else
#define KRAIT_TRAIN_STRIDED_CONV1D_INL_HPP
#endif

#include "krait/kernels/norm-inl.hpp"
#include "krait/ops/strided_conv1d-inl.hpp"
#include "krait/train/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns the number of leading tokens that have no output, for which zeros are written.
template <std::size_t tokens, StridedConv1dDims dims, class Tape, class Work>
HWY_INLINE std::size_t record(const StridedConv1d<dims>& layer, State<StridedConv1d<dims>>& state, Tape& tape, Work& work,
                              TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  using L = StridedConv1d<dims>;
  auto& scratch = work.template start<Scratch<L, tokens>>();
  tape.skipped = run<tokens>(layer, state, scratch, in, out, n);
  copy_floats(scratch.frames.data(), tape.frames.data(), L::kept + n * L::d_in);
  return tape.skipped;
}
// dout has the gradients of the outputs of the tokens that have an output. The gradient of a frame is the sum over the outputs
// that read it, in the order of the tokens; it starts from the gradient of the state after the window.
template <std::size_t tokens, bool dx, StridedConv1dDims dims, class Tape, class Work, class G>
HWY_INLINE void backward(const StridedConv1d<dims>& layer, Tape& tape, Work& work, TokenSpan<const float>,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients, State<StridedConv1d<dims>>* dstate,
                         std::size_t n) {
  using L = StridedConv1d<dims>;
  using Recording = krait::detail::Recording<L, G, dx>;
  constexpr std::size_t rows = padded(L::d_out);
  const std::size_t skipped = tape.skipped, outputs = n - skipped;
  if constexpr (krait::detail::is_trained<G>) {
    const TokenSpan<const float> inputs{tape.frames.data(), L::d_in};
    if (float* weight = krait::detail::floats_of(krait::detail::gradient_of_member<0>(gradients)))
      linear_weight_gradient(inputs.from(skipped), dout.as_const(), outputs, weight, rows, L::window);
    if constexpr (dims.bias)
      if (float* bias = krait::detail::floats_of(krait::detail::gradient_of_member<1>(gradients)))
        add_tokens(dout.as_const(), outputs, bias, rows);
  }
  if (!dx && !dstate) return;
  auto& own = work.template start<typename Recording::template BackwardWork<tokens>>();
  float* const dframes = own.dframes.data();
  std::memset(dframes, 0, (L::kept + n * L::d_in) * sizeof(float));
  if constexpr (L::kept > 0)
    if (dstate) copy_floats(dstate->data(), dframes + n * L::d_in, L::kept);
  const TokenSpan<float> dinputs = own.dinputs.span();
  linear_input_gradient(layer.weight.data(), rows, L::window, dout.as_const(), dinputs, outputs, false,
                        own.columns.values.data());
  for (std::size_t t = 0; t < outputs; ++t) {
    float* const from = dframes + (skipped + t) * L::d_in;
    add_row(from, dinputs[t], from, L::window);
  }
  if constexpr (dx)
    for (std::size_t t = 0; t < n; ++t) copy_padded(dframes + L::kept + t * L::d_in, din[t], L::d_in);
  if constexpr (L::kept > 0)
    if (dstate) copy_floats(dframes, dstate->data(), L::kept);
}

KRAIT_END_TARGET

#endif
