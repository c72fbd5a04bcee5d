// Defines record and backward, which compute the gradient of a model's weights for a window of tokens.
#if defined(KRAIT_TRAIN_CALLS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_CALLS_INL_HPP
#undef KRAIT_TRAIN_CALLS_INL_HPP
#else
#define KRAIT_TRAIN_CALLS_INL_HPP
#endif

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <type_traits>

#include "krait/ops/calls-inl.hpp"
#include "krait/train/mamba-inl.hpp"
#include "krait/train/stack-inl.hpp"
#include "krait/train/tape.hpp"
#include "krait/train/check_train.hpp"

KRAIT_BEGIN_TARGET
namespace detail {

// Returns the inputs of the window that a tape contains, in the form that the layers take.
template <class TapeOfModel>
HWY_INLINE auto recorded_inputs(TapeOfModel& tape) {
  if constexpr (requires { tape.inputs.span(); }) return tape.inputs.span().as_const();
  else return static_cast<const std::uint32_t*>(tape.inputs.data());
}

template <class Model, class In, class Out, class TapeOfModel>
HWY_NOINLINE std::size_t record_checked(const Model& model, State<Model>& state, const In& xs, Out& ys, TapeOfModel& tape) {
  constexpr std::size_t tokens = TapeOfModel::window;
  std::size_t n = std::min<std::size_t>(tokens, std::size(xs));
  if constexpr (!gives_one_row<Model>) n = std::min<std::size_t>(n, std::size(ys));
  tape.length = n;
  if (n == 0) return 0;
  if constexpr (TakesTokens<Model>) {
    for (std::size_t t = 0; t < n; ++t) {
      auto token = krait::detail::unsigned_token(std::data(xs)[t]);
      // d_in is an id outside the vocabulary.
      tape.inputs[t] = static_cast<std::uint32_t>(std::min<decltype(token)>(token, Model::d_in));
    }
  } else {
    copy_tokens_padded(input<Model>(xs), tape.inputs.span(), Model::d_in, n);
  }
  const TokenSpan<float> out = tape.out.span(), to = output<Model>(ys);
  record<tokens>(model, state, tape.tape, tape.work, recorded_inputs(tape), out, n);
  for (std::size_t t = 0; t < (gives_one_row<Model> ? 1 : n); ++t) copy_floats(out[t], to[t], Model::d_out);
  return n;
}

template <class Model, class TapeOfModel, class In, class G, class Out>
HWY_NOINLINE void backward_checked(const Model& model, TapeOfModel& tape, const In& dys, G& gradients, Out& dxs,
                                   State<Model>* dstate) {
  constexpr std::size_t tokens = TapeOfModel::window;
  const std::size_t n = tape.length;
  if (n == 0) return;
  const TokenSpan<float> dout = tape.out.span();
  TokenSpan<float> din{nullptr, 0};
  if constexpr (gives_one_row<Model>) {
    copy_padded(std::data(dys), dout[0], Model::d_out);
  } else {
    const std::size_t given = std::min<std::size_t>(n, std::size(dys));
    if (given > 0) copy_tokens_padded({std::data(*std::data(dys)), Model::d_out}, dout, Model::d_out, given);
    for (std::size_t t = given; t < n; ++t) std::memset(dout[t], 0, dout.stride * sizeof(float));
  }
  if constexpr (TapeOfModel::input_gradient) din = tape.dinputs.span();
  backward<tokens, TapeOfModel::input_gradient>(model, tape.tape, tape.work, recorded_inputs(tape), dout, din, gradients.sums,
                                                dstate, n);
  if constexpr (!is_no_output<Out>) {
    const std::size_t wanted = std::min<std::size_t>(n, std::size(dxs));
    const TokenSpan<float> to{std::data(*std::data(dxs)), Model::d_in};
    for (std::size_t t = 0; t < wanted; ++t) copy_floats(din[t], to[t], Model::d_in);
  }
}

}  // namespace detail

// record(model, state, xs, ys, tape) runs a model on a window of tokens, advances `state` and keeps what `backward` needs.
// Outputs and state equal those of prefill, bit for bit. Returns the number of tokens processed: the smallest of the window of
// the tape and the sizes of xs and, unless the model pools, ys.
//   xs     a sequence of token ids, or of vectors of d_in floats
//   ys     receives a vector of d_out floats for each token, or, for a stack that pools, the output of the last token
//   tape   a krait::Tape<Model, tokens>
// The state before the window is a constant for `backward`, unless its gradient is asked for. Allocates nothing, throws
// nothing.
template <class Model, class S, class In, class Out, class T>
std::size_t record(const Model& model, S&& state, const In& xs, Out&& ys, T&& tape) noexcept {
  if constexpr (check::record<Model, S, const In, Out, T>()) return detail::record_checked(model, state, xs, ys, tape);
  else return 0;
}
KRAIT_TAKES(record, 5, 5, "krait::record takes (model, state, xs, ys, tape)");

// backward(model, tape, dys, gradients[, dxs[, dstate]]) adds to `gradients` the gradient of a loss with respect to the
// weights, by backpropagation through the window that `tape` recorded. The model's weights must be those of the call of
// `record`.
//   dys       the gradient of the loss with respect to the outputs of `record`; vectors that it lacks count as 0
//   dxs       receives the gradient with respect to the inputs; or krait::no_output
//   dstate    a State<Model> whose floats are the gradient with respect to the state after the window; it is replaced by the
//             gradient with respect to the state before the window. If omitted, the former is 0. dstate is accepted only if
//             the tape's selection is krait::Everything, which excludes no parameter from training
//
// To call backward again for the same window, call `record` again first. Allocates nothing, throws nothing.
template <class Model, class T, class In, class G>
void backward(const Model& model, T& tape, const In& dys, G& gradients) noexcept {
  if constexpr (check::backward<Model, T, In, G>()) detail::backward_checked(model, tape, dys, gradients, no_output, nullptr);
}
template <class Model, class T, class In, class G, class Out>
void backward(const Model& model, T& tape, const In& dys, G& gradients, Out&& dxs) noexcept {
  if constexpr (check::backward<Model, T, In, G, Out>()) detail::backward_checked(model, tape, dys, gradients, dxs, nullptr);
}
template <class Model, class T, class In, class G, class Out>
void backward(const Model& model, T& tape, const In& dys, G& gradients, Out&& dxs, State<Model>& dstate) noexcept {
  if constexpr (check::backward<Model, T, In, G, Out>() && check::state_gradient<T>())
    detail::backward_checked(model, tape, dys, gradients, dxs, &dstate);
}
KRAIT_TAKES(backward, 4, 6, "krait::backward takes (model, tape, dys, gradients[, dxs[, dstate]])");

KRAIT_END_TARGET

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
