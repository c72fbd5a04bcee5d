// Runs Linear layers, and multiplies by the weights of other layers and of the output head.
#if defined(KRAIT_OPS_LINEAR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_LINEAR_INL_HPP
#undef KRAIT_OPS_LINEAR_INL_HPP
#else
#define KRAIT_OPS_LINEAR_INL_HPP
#endif

#include "krait/kernels/int8-inl.hpp"
#include "krait/kernels/linear-inl.hpp"
#include "krait/nn/linear.hpp"
#include "krait/ops/sequences-inl.hpp"

KRAIT_BEGIN_TARGET

// Returns a pointer to the layer's bias, or null if it has none.
template <class L>
HWY_INLINE const float* bias_of(const L& layer) {
  if constexpr (L::has_bias) return layer.bias.data();
  else return nullptr;
}

// Returns a weight tensor in the form that the kernels take: a pointer to the weights and, for int8, a pointer to the scales.
template <RowLayout order, std::size_t d_in, std::size_t width, Storage storage>
HWY_INLINE Weights<storage> weights_of(const Panels<order, d_in, width, storage>& weight) {
  if constexpr (storage == Storage::int8) return {weight.data(), weight.scales.data()};
  else return {weight.data()};
}

// Returns the inputs x of n tokens in the form that the kernels take. If the weights are int8, the inputs are quantised and
// stored in `scratch`; otherwise the function returns x itself. The scratch may belong to a layer with more inputs.
template <RowLayout order, std::size_t d_in, Storage storage, class Borrowed>
HWY_INLINE auto inputs_for(const Matrix<order, d_in, storage>&, [[maybe_unused]] Borrowed& scratch, TokenSpan<const float> x,
                           [[maybe_unused]] std::size_t n) {
  if constexpr (storage == Storage::int8) {
    const TokenSpan<std::int16_t> inputs{scratch.inputs.data(), padded(d_in)};
    for (std::size_t t = 0; t < n; ++t) scratch.scales[t] = quantise_row(x[t], d_in, inputs[t]);
    return Quantised{inputs.as_const(), scratch.scales.data()};
  } else {
    return x;
  }
}

// Computes y = weight x + bias for n tokens, where x is a result of inputs_for. y[t][0] corresponds to output number `first`.
// Writes y[t][i] for each i in `part`; part.end is at most `outputs`. `outputs` may also count padding rows of the weight, if y
// has memory for their outputs. A null bias means zero. `part` comes from a call of `split` with a state of type States.
template <std::size_t tokens, std::size_t outputs, class States, RowLayout order, std::size_t d_in, Storage storage, class X>
HWY_INLINE void multiply(const States&, const Matrix<order, d_in, storage>& weight, const float* bias, X x, TokenSpan<float> y,
                         std::size_t n, Range part, std::size_t first = 0) {
  constexpr std::size_t tile = tokens < tile_tokens ? 1 : std::min(tile_tokens, Weights<storage>::most_tokens);
  linear_rows<tile, outputs, has_executor<States>>(weights_of(weight), order.padded_rows(), d_in, bias, x, y, first, n, part);
}

// Computes the first `outputs` outputs of y = weight x + bias for n tokens, where x is a result of inputs_for. `state` is the
// State or the Sequences of the layer that contains the weight. If `state` is Sequences with an executor, the executor divides
// the outputs among its threads.
template <std::size_t tokens, std::size_t outputs, RowLayout order, std::size_t d_in, Storage storage, class States, class X>
HWY_INLINE void multiply_all(const States& state, const Matrix<order, d_in, storage>& weight, const float* bias, X x,
                             TokenSpan<float> out, std::size_t n) {
  split(state, outputs, n * d_in * outputs, [&](Range part) KRAIT_LAMBDA {
    multiply<tokens, outputs>(state, weight, bias, x, out, n, part);
  });
}
// apply_weight does the same for inputs that are floats.
template <std::size_t tokens, std::size_t outputs, RowLayout order, std::size_t d_in, Storage storage, class States,
          class Borrowed>
HWY_INLINE void apply_weight(const Matrix<order, d_in, storage>& weight, const float* bias, const States& state,
                             Borrowed& scratch, TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  multiply_all<tokens, outputs>(state, weight, bias, inputs_for(weight, scratch, in, n), out, n);
}
template <std::size_t tokens, std::size_t outputs, LinearDims dims, RowLayout order, class States, class Borrowed>
HWY_INLINE void apply_linear(const Linear<dims, order>& layer, const States& state, Borrowed& scratch,
                             TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  apply_weight<tokens, outputs>(layer.weight, bias_of(layer), state, scratch, in, out, n);
}
template <std::size_t tokens, LinearDims dims, RowLayout order, StatesOf<Linear<dims, order>> States>
HWY_INLINE void run(const Linear<dims, order>& layer, States& state, Scratch<Linear<dims, order>, tokens>& scratch,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  apply_linear<tokens, dims.d_out>(layer, state, scratch, in, out, n);
}

KRAIT_END_TARGET

#endif
