// Training of the pooling layers: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_POOLING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_POOLING_INL_HPP
#undef KRAIT_TRAIN_POOLING_INL_HPP
#else
#define KRAIT_TRAIN_POOLING_INL_HPP
#endif

#include "krait/ops/pooling-inl.hpp"
#include "krait/train/linear-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, std::size_t d_model, class Tape, class Work>
HWY_INLINE void record(const MeanPool<d_model>& layer, State<MeanPool<d_model>>& state, Tape& tape, Work&,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  NoScratch<tokens> scratch;
  run<tokens>(layer, state, scratch, in, out, n);
  tape.count = state.count();
}
// The gradient of every input, and of the sum in the state, is the gradient of the output divided by the number of vectors.
template <std::size_t tokens, bool dx, std::size_t d_model, class Tape, class Work, class G>
HWY_INLINE void backward(const MeanPool<d_model>&, Tape& tape, Work&, TokenSpan<const float>, TokenSpan<float> dout,
                         TokenSpan<float> din, G&, State<MeanPool<d_model>>* dstate, std::size_t n) {
  divide_row(dout[0], static_cast<float>(tape.count), dout[0], d_model);
  if (dstate) {
    add_row(dstate->data(), dout[0], dstate->data(), d_model);
    copy_floats(dstate->data(), dout[0], d_model);
  }
  if constexpr (dx)
    for (std::size_t t = 0; t < n; ++t) copy_padded(dout[0], din[t], d_model);
}

template <std::size_t tokens, std::size_t d_model, class Tape, class Work>
HWY_INLINE void record(const MaxPool<d_model>& layer, State<MaxPool<d_model>>& state, Tape& tape, Work&,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  alignas(64) std::array<float, padded(d_model)> before;
  max_values(state.largest.data(), before.data(), d_model);
  NoScratch<tokens> scratch;
  run<tokens>(layer, state, scratch, in, out, n);
  for (std::size_t c = 0; c < d_model; ++c) {
    std::size_t t = before[c] == out[0][c] ? n : 0;
    while (t < n && in[t][c] != out[0][c]) ++t;
    tape.source[c] = static_cast<std::uint32_t>(t < n ? t : tokens);
  }
}
// The gradient of an output goes to the first of the largest inputs of the window, or to the state before the window if that
// already contained the largest value. The gradients of all other inputs are 0.
template <std::size_t tokens, bool dx, std::size_t d_model, class Tape, class Work, class G>
HWY_INLINE void backward(const MaxPool<d_model>&, Tape& tape, Work&, TokenSpan<const float>, TokenSpan<float> dout,
                         TokenSpan<float> din, G&, State<MaxPool<d_model>>* dstate, std::size_t n) {
  if constexpr (dx)
    for (std::size_t t = 0; t < n; ++t) std::memset(din[t], 0, padded(d_model) * sizeof(float));
  for (std::size_t c = 0; c < d_model; ++c) {
    float d = dout[0][c];
    float* const later = dstate ? dstate->largest.data() + c : nullptr;
    if (later) d = opaque(d + *later), *later = 0.0f;
    if (tape.source[c] < n) {
      if constexpr (dx) din[tape.source[c]][c] = d;
    } else if (later) {
      *later = d;
    }
  }
}

template <std::size_t tokens, std::size_t d_model, class Tape, class Work>
HWY_INLINE void record(const LastPool<d_model>& layer, NoState& state, Tape&, Work&, TokenSpan<const float> in,
                       TokenSpan<float> out, std::size_t n) {
  NoScratch<tokens> scratch;
  run<tokens>(layer, state, scratch, in, out, n);
}
template <std::size_t tokens, bool dx, std::size_t d_model, class Tape, class Work, class G>
HWY_INLINE void backward(const LastPool<d_model>&, Tape&, Work&, TokenSpan<const float>, TokenSpan<float> dout,
                         TokenSpan<float> din, G&, NoState*, std::size_t n) {
  if constexpr (dx) {
    for (std::size_t t = 0; t + 1 < n; ++t) std::memset(din[t], 0, padded(d_model) * sizeof(float));
    copy_padded(dout[0], din[n - 1], d_model);
  }
}

KRAIT_END_TARGET

#endif
