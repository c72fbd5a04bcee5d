// What the layers without parts of their own do: Linear, Conv1d, RmsNorm, Embedding, pooling.
//
// run(layer, state, scratch, in, out, n): takes n rows (tokens) in, writes n rows out, n at most what the scratch is for;
// continues the sequence that the state stands for. Rows have exactly d_in and d_out floats; out must not overlap in, or, of a
// layer that works_in_place, may be in.
#if defined(KRAIT_OPS_PARTS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_PARTS_INL_HPP
#undef KRAIT_OPS_PARTS_INL_HPP
#else
#define KRAIT_OPS_PARTS_INL_HPP
#endif

#include "krait/kernels/conv1d-inl.hpp"
#include "krait/kernels/int8-inl.hpp"
#include "krait/kernels/linear-inl.hpp"
#include "krait/kernels/rms_norm-inl.hpp"
#include "krait/nn/conv1d.hpp"
#include "krait/nn/embedding.hpp"
#include "krait/nn/linear.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/rms_norm.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

// The bias's floats, or null where there is none.
template <class L>
HWY_INLINE const float* bias_of(const L& layer) {
  if constexpr (L::has_bias) return layer.bias.data();
  else return nullptr;
}

template <std::size_t tokens, std::size_t channels>
HWY_INLINE Rows<float> rows_of(TokenRows<tokens, channels>& rows) {
  return {rows.values.data(), rows.stride};
}

// The weights of a tensor as kernels take them.
template <RowOrder order, std::size_t d_in, Storage storage>
HWY_INLINE Weights<storage> weights_of(const Matrix<order, d_in, storage>& weight) {
  if constexpr (storage == Storage::int8) return {weight.data(), weight.scales.data()};
  else return {weight.data()};
}

// y = weight x + bias, n rows; of each, `outputs` from `first` on are written, see linear_rows: all rows of the weight, or with
// their padding where there is room for it, or a part. The scratch may be that of a layer with more inputs.
template <std::size_t tokens, std::size_t outputs, RowOrder order, std::size_t d_in, Storage storage, class Borrowed>
HWY_INLINE void apply_weight(const Matrix<order, d_in, storage>& weight, const float* bias, Borrowed& scratch,
                             Rows<const float> in, Rows<float> out, std::size_t n, std::size_t first = 0) {
  constexpr std::size_t tile = tokens < tile_tokens ? 1 : std::min(tile_tokens, Weights<storage>::most_tokens);
  if constexpr (storage == Storage::int8) {
    const Rows<std::int16_t> inputs{scratch.inputs.data(), padded(d_in)};
    for (std::size_t t = 0; t < n; ++t) scratch.scales[t] = quantise_row(in[t], d_in, inputs[t]);
    linear_rows<tile, outputs>(weights_of(weight), order.padded_rows(), d_in, bias,
                               Quantised{inputs.as_const(), scratch.scales.data()}, out, first, n);
  } else {
    linear_rows<tile, outputs>(weights_of(weight), order.padded_rows(), d_in, bias, in, out, first, n);
  }
}
template <std::size_t tokens, std::size_t outputs, LinearDims dims, RowOrder order, class Borrowed>
HWY_INLINE void apply_linear(const Linear<dims, order>& layer, Borrowed& scratch, Rows<const float> in, Rows<float> out,
                             std::size_t n, std::size_t first = 0) {
  apply_weight<tokens, outputs>(layer.weight, bias_of(layer), scratch, in, out, n, first);
}
template <std::size_t tokens, LinearDims dims, RowOrder order>
HWY_INLINE void run(const Linear<dims, order>& layer, NoState&,
                    typename Linear<dims, order>::template Scratch<tokens>& scratch, Rows<const float> in,
                    Rows<float> out, std::size_t n) {
  apply_linear<tokens, dims.d_out>(layer, scratch, in, out, n);
}

template <std::size_t tokens, NormDims dims>
HWY_INLINE void run(const RmsNorm<dims>& layer, NoState&, NoScratch<tokens>&, Rows<const float> in, Rows<float> out,
                    std::size_t n) {
  for (std::size_t t = 0; t < n; ++t)
    rms_norm_row(in[t], layer.weight.data(), bias_of(layer), dims.eps, out[t], dims.d_model);
}

// x becomes after(conv1d(x)) in place, in rows of whole blocks.
template <Conv1dDims dims, class After>
HWY_INLINE void apply_conv1d(const Conv1d<dims>& layer, typename Conv1d<dims>::State& state, Rows<float> x,
                             std::size_t n, After after) {
  conv1d_rows<dims.d_conv>(layer.weight.data(), bias_of(layer), state.window.data(), x, padded(dims.channels), n, after);
}
template <std::size_t tokens, Conv1dDims dims>
HWY_INLINE void run(const Conv1d<dims>& layer, typename Conv1d<dims>::State& state,
                    typename Conv1d<dims>::template Scratch<tokens>& scratch, Rows<const float> in, Rows<float> out,
                    std::size_t n) {
  const Rows<float> xy = rows_of(scratch.xy);
  for (std::size_t t = 0; t < n; ++t) copy_padded(in[t], xy[t], dims.channels);
  apply_conv1d(layer, state, xy, n, Nothing{});
  for (std::size_t t = 0; t < n; ++t) copy_floats(xy[t], out[t], dims.channels);
}

template <std::size_t tokens, std::size_t vocab_size, std::size_t d_model, Storage storage, class Token>
HWY_INLINE void run(const Embedding<vocab_size, d_model, storage>& layer, NoState&, NoScratch<tokens>&, const Token* in,
                    Rows<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) {
    using Unsigned = std::make_unsigned_t<std::common_type_t<Token, std::ptrdiff_t>>;
    const auto token = static_cast<Unsigned>(in[t]);  // a negative one is large
    if (token < vocab_size) gather_row(weights_of(layer.weight), padded(vocab_size), d_model, token, out[t]);
    else std::memset(out[t], 0, d_model * sizeof(float));
  }
}

template <std::size_t tokens, std::size_t d_model>
HWY_INLINE void run(const MeanPool<d_model>&, typename MeanPool<d_model>::State& state, NoScratch<tokens>&,
                    Rows<const float> in, Rows<float> out, std::size_t n, Emit emit = Emit::all) {
  for (std::size_t t = 0; t < n; ++t) add_row(state.sum.data(), in[t], state.sum.data(), d_model);
  state.count += static_cast<std::uint32_t>(n);
  if (emit == Emit::nothing) return;
  divide_row(state.sum.data(), static_cast<float>(state.count), out[0], d_model);
}

template <std::size_t tokens, std::size_t d_model>
HWY_INLINE void run(const LastPool<d_model>&, NoState&, NoScratch<tokens>&, Rows<const float> in, Rows<float> out,
                    std::size_t n, Emit emit = Emit::all) {
  if (emit != Emit::nothing) std::memmove(out[0], in[n - 1], d_model * sizeof(float));
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
