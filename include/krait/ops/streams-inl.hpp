// Defines step_streams and prefill_streams, which process the tokens of several sequences together.
#if defined(KRAIT_OPS_STREAMS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_STREAMS_INL_HPP
#undef KRAIT_OPS_STREAMS_INL_HPP
#else
#define KRAIT_OPS_STREAMS_INL_HPP
#endif

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include "krait/calls/check_streams.hpp"
#include "krait/nn/stream_scratch.hpp"
#include "krait/ops/calls-inl.hpp"

KRAIT_BEGIN_TARGET
namespace detail {

// Returns the address of the state of stream i. `states` contains states or pointers to states.
template <class States>
HWY_INLINE std::byte* state_address(States& states, std::size_t i) {
  auto& state = std::data(states)[i];
  if constexpr (std::is_pointer_v<std::remove_reference_t<decltype(state)>>) return reinterpret_cast<std::byte*>(state);
  else return reinterpret_cast<std::byte*>(&state);
}

// StreamRunner collects tokens of several sequences with `add`, and runs the model on all collected tokens with `run_model`.
template <class Model, std::size_t tokens, class Threads>
struct StreamRunner {
  const Model& model;
  StreamScratch<Model, tokens>& scratch;
  Threads& threads;
  std::size_t segments = 0;  // the number of sequences with tokens added since the last clear()
  std::size_t n = 0;         // the number of tokens that have been added since the last clear()

  // Adds `count` tokens of stream number `stream` of the call, starting with token number `first` of this stream.
  HWY_INLINE void add(std::byte* state, std::size_t stream, std::size_t first, std::size_t count) {
    scratch.segments[segments] = {state, count};
    scratch.positions[segments] = {stream, first};
    ++segments;
    n += count;
  }
  HWY_INLINE auto sequences() const {
    return Sequences<State<Model>, Threads>{scratch.segments.data(), segments, 0, &threads};
  }
  // Runs the model on the added tokens. A language model runs without its output head. For other models, `emit` selects the
  // outputs that are written.
  template <class In>
  HWY_NOINLINE void run_model(In in, TokenSpan<float> out, Emit emit) {
    auto all = sequences();
    if constexpr (LanguageModel<Model>) run_layers<tokens>(model, all, scratch.model, in, n);
    else if constexpr (Summarising<Model>) run_each<tokens>(model, all, scratch.model, in, out, n, emit);
    else run_each<tokens>(model, all, scratch.model, in, out, n);
  }
  // Writes a language model's logits for `count` of the added tokens, starting with added token number `first`.
  HWY_NOINLINE void write_logits(std::size_t first, std::size_t count, TokenSpan<float> out) {
    run_head<tokens>(model, sequences(), scratch.model, scratch.model.x.span().from(first), out, count);
  }
  // Forgets the tokens that have been added, so that the next call of `add` starts anew.
  HWY_INLINE void clear() { segments = n = 0; }
};

// Copies n vectors of `channels` floats.
HWY_INLINE void copy_tokens(TokenSpan<const float> from, TokenSpan<float> to, std::size_t channels, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) copy_floats(from[t], to[t], channels);
}

template <std::size_t tokens, class Model, class States, class In, class Out, class Threads>
HWY_INLINE std::size_t step_streams_checked(const Model& model, States& states, const In& xs, Out& ys,
                                            StreamScratch<Model, tokens>& scratch, Threads& threads) {
  const std::size_t n = std::min<std::size_t>(std::size(xs), std::size(states));
  std::size_t wanted = 0;  // the number of streams whose output is written
  if constexpr (!is_no_output<Out>) wanted = std::min<std::size_t>(n, std::size(ys));
  StreamRunner<Model, tokens, Threads> runner{model, scratch, threads};
  for (std::size_t begin = 0; begin < n; begin += tokens, runner.clear()) {
    const std::size_t now = std::min(tokens, n - begin), outputs = std::min(now, wanted - std::min(begin, wanted));
    for (std::size_t i = 0; i < now; ++i) runner.add(state_address(states, begin + i), begin + i, 0, 1);
    const auto in = advance(input<Model>(xs), begin);
    const TokenSpan<float> out = outputs > 0 ? output<Model>(ys).from(begin) : TokenSpan<float>{nullptr, 0};
    if constexpr (LanguageModel<Model>) {
      runner.run_model(in, out, Emit::nothing);
      if (outputs > 0) runner.write_logits(0, outputs, out);
    } else if (outputs == now || (outputs == 0 && Summarising<Model>)) {
      runner.run_model(in, out, outputs == 0 ? Emit::nothing : Emit::all);
    } else {
      runner.run_model(in, scratch.outputs.span(), Emit::all);
      copy_tokens(scratch.outputs.span().as_const(), out, Model::d_out, outputs);
    }
  }
  return n;
}

// Processes the tokens that were added to the runner, and writes outputs to ys. If ys contains a sequence of vectors for each
// stream, the outputs of all tokens are written. If ys contains one vector for each stream, only the output of each stream's
// last token is written.
template <class Model, std::size_t tokens, class Threads, class In, class Inputs, class Out>
HWY_INLINE void flush(StreamRunner<Model, tokens, Threads>& runner, In in, const Inputs& xs, [[maybe_unused]] Out& ys) {
  auto& scratch = runner.scratch;
  constexpr bool none = is_no_output<Out>, last = VectorSequence<Out>;
  TokenSpan<float> out{nullptr, 0};
  if constexpr (!LanguageModel<Model>) out = scratch.outputs.span();
  runner.run_model(in, out, none ? Emit::nothing : Emit::last);
  if constexpr (!none) {
    const std::size_t wanted = std::size(ys);
    std::size_t first = 0;      // the index of the segment's first token among all added tokens
    std::size_t collected = 0;  // for language models: how many last tokens' vectors have been copied to the start of x
    for (std::size_t i = 0; i < runner.segments; first += scratch.segments[i++].tokens) {
      const auto [stream, at] = scratch.positions[i];
      const std::size_t count = scratch.segments[i].tokens;
      if (stream >= wanted) break;
      auto&& y = std::data(ys)[stream];
      if constexpr (!last) {
        const TokenSpan<float> to = output<Model>(y).from(at);
        if constexpr (LanguageModel<Model>) runner.write_logits(first, count, to);
        else copy_tokens(out.from(first).as_const(), to, Model::d_out, count);
      } else if (at + count == std::size(std::data(xs)[stream])) {
        if constexpr (LanguageModel<Model>) {
          const auto x = scratch.model.x.span();
          if (collected != first + count - 1) copy_floats(x[first + count - 1], x[collected], Model::d_model);
          scratch.positions[collected++].stream = stream;
        } else {
          copy_floats(out[i], std::data(y), Model::d_out);
        }
      }
    }
    if constexpr (LanguageModel<Model> && last) {
      // The logits of streams with consecutive numbers are computed together. A number may be missing, because a stream has no
      // logits yet if its last token is not among the added tokens.
      for (std::size_t i = 0, end; i < collected; i = end) {
        const std::size_t stream = scratch.positions[i].stream;
        for (end = i + 1; end < collected && scratch.positions[end].stream == stream + (end - i);) ++end;
        runner.write_logits(i, end - i, output<Model>(ys).from(stream));
      }
    }
  }
  runner.clear();
}

template <std::size_t tokens, class Model, class States, class In, class Out, class Threads>
HWY_INLINE std::size_t prefill_streams_checked(const Model& model, States& states, const In& xs, Out& ys,
                                               StreamScratch<Model, tokens>& scratch, Threads& threads) {
  const std::size_t streams = std::min<std::size_t>(std::size(xs), std::size(states));
  StreamRunner<Model, tokens, Threads> runner{model, scratch, threads};
  [[maybe_unused]] std::array<std::remove_const_t<element<const element<const In>>>, TakesTokens<Model> ? tokens : 1> ids;
  const auto run_added = [&]() KRAIT_LAMBDA {
    if constexpr (TakesTokens<Model>) flush(runner, static_cast<const typename decltype(ids)::value_type*>(ids.data()), xs, ys);
    else flush(runner, scratch.inputs.span().as_const(), xs, ys);
  };
  std::size_t done = 0;
  for (std::size_t stream = 0; stream < streams; ++stream) {
    const auto& sequence = std::data(xs)[stream];
    std::size_t length = std::size(sequence);
    if constexpr (!is_no_output<Out> && !VectorSequence<Out>)
      if (stream < std::size(ys)) length = std::min<std::size_t>(length, std::size(std::data(ys)[stream]));
    for (std::size_t first = 0, count; first < length; first += count) {
      count = std::min(tokens - runner.n, length - first);
      if constexpr (TakesTokens<Model>) std::copy_n(std::data(sequence) + first, count, ids.begin() + runner.n);
      else copy_tokens(input<Model>(sequence).from(first), scratch.inputs.span().from(runner.n), Model::d_in, count);
      runner.add(state_address(states, stream), stream, first, count);
      if (runner.n == tokens) run_added();
    }
    done += length;
  }
  if (runner.n > 0) run_added();
  return done;
}

// Calls step_streams_checked or, if `several` is true, prefill_streams_checked, with a default for scratch or executor if the
// caller passed none in `rest`. If `accepted` is false, because the compile-time check rejected the call, does nothing.
template <bool several, bool accepted, class Model, class States, class In, class Out, class... Rest>
HWY_INLINE std::size_t run_streams(const Model& model, States& states, const In& xs, Out& ys, Rest&... rest) {
  OneThread one;
  if constexpr (!accepted) {
    return 0;
  } else if constexpr (sizeof...(Rest) == 2) {
    if constexpr (several) return prefill_streams_checked(model, states, xs, ys, rest...);
    else return step_streams_checked(model, states, xs, ys, rest...);
  } else if constexpr (sizeof...(Rest) == 1) {
    return run_streams<several, true>(model, states, xs, ys, rest..., one);
  } else {
    StreamScratch<Model, default_chunk<Model>()> scratch;
    return run_streams<several, true>(model, states, xs, ys, scratch, one);
  }
}

}  // namespace detail

// step_streams(model, states, xs, ys[, scratch[, executor]]) processes one token of each of several sequences, which share the
// model: token i of xs belongs to the sequence whose state is states[i]. Outputs and states equal those of a call of step for
// each sequence, bit for bit. The model's weights are read once for all sequences of a chunk, so that many streams take less
// time together than alone.
//   states    an array, vector or span of krait::State<Model>, or of pointers to them. A state that occurs several times takes
//             its tokens one after the other
//   xs        one token id, or one vector of d_in floats, for each stream
//   ys        receives a vector of d_out floats for each stream. If it has fewer elements than xs, only the first streams get
//             outputs. For a language model or a stack that pools, it may be krait::no_output
//   scratch   any krait::StreamScratch<Model, n>; n streams are processed at a time. If omitted, step_streams places a
//             krait::StreamScratch<Model, default_chunk<Model>()> on the call stack
//   executor  divides large layers among threads (nn/sequences.hpp). Results do not depend on the number of threads
// Returns the number of streams processed: the smaller of the sizes of xs and states. Allocates nothing, throws nothing.
template <class Model, class S, class In, class Out, class... Rest>
  requires(sizeof...(Rest) <= 2)
std::size_t step_streams(const Model& model, S&& states, const In& xs, Out&& ys, Rest&&... rest) noexcept {
  return detail::run_streams<false, check::step_streams<Model, S, const In, Out, Rest...>()>(model, states, xs, ys, rest...);
}
KRAIT_TAKES(step_streams, 4, 6, "krait::step_streams takes (model, states, xs, ys[, scratch[, executor]])");

// prefill_streams(model, states, xs, ys[, scratch[, executor]]) processes any number of tokens of each of several sequences:
// sequence i is xs[i], and its state is states[i]. Outputs and states equal those of a call of prefill for each sequence, bit
// for bit. If xs[i] is empty, nothing changes for sequence i. Returns the number of tokens processed.
//   xs        one sequence of token ids, or of vectors of d_in floats, for each stream; they may have different lengths
//   ys        for a language model or a stack that pools: one vector of d_out floats for each stream, which receives the output
//             of the stream's last token, or krait::no_output. For a language model and for layers that give one output for
//             each token: one sequence of vectors for each stream, which receives the outputs of all tokens; if a stream's
//             sequence in ys is shorter than in xs, only as many tokens of the stream are processed. If ys has fewer elements
//             than xs, only the first streams get outputs
//   scratch   any krait::StreamScratch<Model, n>; tokens are processed n at a time. If omitted, prefill_streams places a
//             krait::StreamScratch<Model, default_chunk<Model>()> on the call stack
// states and executor are those of step_streams. Allocates nothing, throws nothing.
template <class Model, class S, class In, class Out, class... Rest>
  requires(sizeof...(Rest) <= 2)
std::size_t prefill_streams(const Model& model, S&& states, const In& xs, Out&& ys, Rest&&... rest) noexcept {
  return detail::run_streams<true, check::prefill_streams<Model, S, const In, Out, Rest...>()>(model, states, xs, ys, rest...);
}
KRAIT_TAKES(prefill_streams, 4, 6, "krait::prefill_streams takes (model, states, xs, ys[, scratch[, executor]])");

KRAIT_END_TARGET

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
