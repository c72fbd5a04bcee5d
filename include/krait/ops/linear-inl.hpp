// Runs Linear layers, and multiplies by the weights of the output head and of other layers.
#if defined(KRAIT_OPS_LINEAR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_LINEAR_INL_HPP
#undef KRAIT_OPS_LINEAR_INL_HPP
#else
#define KRAIT_OPS_LINEAR_INL_HPP
#endif

#include "krait/kernels/int8-inl.hpp"
#include "krait/kernels/linear-inl.hpp"
#include "krait/nn/linear.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// Returns a pointer to the layer's bias, or null if it has none.
template <class L>
HWY_INLINE const float* bias_of(const L& layer) {
  if constexpr (L::has_bias) return layer.bias.data();
  else return nullptr;
}

// Returns a weight tensor in the form that the kernels take: a pointer to its elements and, for int8, one to its scales.
template <RowLayout order, std::size_t d_in, std::size_t width, Storage storage>
HWY_INLINE Weights<storage> weights_of(const Panels<order, d_in, width, storage>& weight) {
  if constexpr (storage == Storage::int8) return {weight.data(), weight.scales.data()};
  else return {weight.data()};
}

// Computes y = weight x + bias for n tokens. Writes, for each token, the `outputs` outputs that start with number `first`. They
// may include padding of the weight's rows if `out` has room for it. A null bias means zero. The scratch may belong to a layer
// with more inputs.
template <std::size_t tokens, std::size_t outputs, RowLayout order, std::size_t d_in, Storage storage, class Borrowed>
HWY_INLINE void apply_weight(const Matrix<order, d_in, storage>& weight, const float* bias, Borrowed& scratch,
                             TokenSpan<const float> in, TokenSpan<float> out, std::size_t n, std::size_t first = 0) {
  constexpr std::size_t tile = tokens < tile_tokens ? 1 : std::min(tile_tokens, Weights<storage>::most_tokens);
  if constexpr (storage == Storage::int8) {
    const TokenSpan<std::int16_t> inputs{scratch.inputs.data(), padded(d_in)};
    for (std::size_t t = 0; t < n; ++t) scratch.scales[t] = quantise_row(in[t], d_in, inputs[t]);
    linear_rows<tile, outputs>(weights_of(weight), order.padded_rows(), d_in, bias,
                               Quantised{inputs.as_const(), scratch.scales.data()}, out, first, n);
  } else {
    linear_rows<tile, outputs>(weights_of(weight), order.padded_rows(), d_in, bias, in, out, first, n);
  }
}
template <std::size_t tokens, std::size_t outputs, LinearDims dims, RowLayout order, class Borrowed>
HWY_INLINE void apply_linear(const Linear<dims, order>& layer, Borrowed& scratch, TokenSpan<const float> in, TokenSpan<float> out,
                             std::size_t n, std::size_t first = 0) {
  apply_weight<tokens, outputs>(layer.weight, bias_of(layer), scratch, in, out, n, first);
}
template <std::size_t tokens, LinearDims dims, RowLayout order>
HWY_INLINE void run(const Linear<dims, order>& layer, NoState&,
                    typename Linear<dims, order>::template Scratch<tokens>& scratch, TokenSpan<const float> in,
                    TokenSpan<float> out, std::size_t n) {
  apply_linear<tokens, dims.d_out>(layer, scratch, in, out, n);
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
