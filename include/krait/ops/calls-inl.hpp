// Defines step, prefill and forward, which run a layer or model on one token, on any number of tokens and on a whole sequence.
//
// These functions call the layer's function `run<tokens>(layer, state, scratch, in, out, n)`, which nn/layer.hpp specifies. The
// table lists where the function `run` of each layer is defined:
//   Linear                ops/linear-inl.hpp             ResidualBlock                ops/residual_block-inl.hpp
//   Conv1d                ops/conv1d-inl.hpp             MambaBlock                   ops/mamba_block-inl.hpp
//   StridedConv1d         ops/strided_conv1d-inl.hpp     Mamba2Block                  ops/mamba2_block-inl.hpp
//   Norm                  ops/norm-inl.hpp               Mamba3Block                  ops/mamba3_block-inl.hpp
//   Activation            ops/activation-inl.hpp         SelectiveStateSpaceModel     ops/ssm-inl.hpp
//   Embedding             ops/embedding-inl.hpp          SelectiveStateSpace          ops/ssm-inl.hpp
//   MeanPool, MaxPool     ops/pooling-inl.hpp            Mamba                        ops/mamba-inl.hpp
//   LastPool              ops/pooling-inl.hpp            Stack, Residual              ops/stack-inl.hpp
//   PositionalEmbedding   ops/positional_embedding-inl.hpp
//   layers defined by users                              the layer's namespace
#if defined(KRAIT_OPS_CALLS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_CALLS_INL_HPP
#undef KRAIT_OPS_CALLS_INL_HPP
#else
#define KRAIT_OPS_CALLS_INL_HPP
#endif

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <new>
#include <type_traits>
#include <utility>

#include "krait/calls/arguments.hpp"
#include "krait/calls/check_calls.hpp"
#include "krait/nn/check_layer.hpp"
#include "krait/nn/layer.hpp"
#include "krait/ops/activation-inl.hpp"
#include "krait/ops/conv1d-inl.hpp"
#include "krait/ops/embedding-inl.hpp"
#include "krait/ops/linear-inl.hpp"
#include "krait/ops/mamba-inl.hpp"
#include "krait/ops/mamba_block-inl.hpp"
#include "krait/ops/pooling-inl.hpp"
#include "krait/ops/positional_embedding-inl.hpp"
#include "krait/ops/residual_block-inl.hpp"
#include "krait/ops/norm-inl.hpp"
#include "krait/ops/ssm-inl.hpp"
#include "krait/ops/strided_conv1d-inl.hpp"
#include "krait/ops/stack-inl.hpp"  // included last, because it calls functions of the other headers

KRAIT_BEGIN_TARGET
namespace detail {
using namespace krait::detail;

// Returns the caller's inputs in the form that `run` takes: a pointer to token ids, or the address and stride of float vectors.
template <class Model, class In>
HWY_INLINE auto input(const In& in) {
  if constexpr (TakesTokens<Model>) return static_cast<const element<const In>*>(std::data(in));
  else return TokenSpan<const float>{std::data(*std::data(in)), Model::d_in};
}
// Returns the inputs from token n on.
template <class T>
HWY_INLINE const T* advance(const T* tokens, std::size_t n) { return tokens + n; }
HWY_INLINE TokenSpan<const float> advance(TokenSpan<const float> vectors, std::size_t n) { return vectors.from(n); }

// Returns the address and stride of the caller's output vectors; the address is null for krait::no_output.
template <class Model, class Out>
HWY_INLINE TokenSpan<float> output(Out& y) {
  if constexpr (is_no_output<Out>) return {nullptr, Model::d_out};
  else if constexpr (VectorSequence<Out>) return {std::data(*std::data(y)), Model::d_out};
  else return {std::data(y), Model::d_out};
}

// ResultOfRun is the type that the function `run` of the layer L returns if its first two arguments have the types Given and S.
// An additional template argument Emit means that the function takes an Emit as its last argument.
template <class L, class Given, std::size_t tokens, class S, class... Emits>
using ResultOfRun = decltype(run<tokens>(
    std::declval<Given>(), std::declval<S>(), std::declval<Scratch<L, tokens>&>(),
    std::declval<std::conditional_t<TakesTokens<L>, const int*, TokenSpan<const float>>>(), TokenSpan<float>{}, std::size_t{},
    std::declval<Emits>()...));
template <class L, class Given, std::size_t tokens, class S, class... Emits>
concept Runs = requires { std::type_identity<ResultOfRun<L, Given, tokens, S, Emits...>>{}; };

// has_run<L, tokens, State<L>&> is true if the layer L has a function `run` with the signature that nn/layer.hpp specifies, and
// has_run<L, tokens, State<L>> is true if the function takes a copy of the state.
template <class L, std::size_t tokens, class S, class Given = const L&>
inline constexpr bool has_run = [] {
  if constexpr (Summarising<L> || Pooling<L>) return Runs<L, Given, tokens, S, Emit>;
  else return Runs<L, Given, tokens, S>;
}();

// A LikeReference converts to a reference to L and to a copy. A LikeReferenceOrCopy converts to a reference, but its conversion
// to a copy is ambiguous. A `run` that takes a copy of its layer therefore accepts only the former. If `run` is a template that
// deduces the type of the layer, it accepts neither, and a copy is not noticed.
template <class L>
struct LikeReference {
  operator const L&() const;
};
template <class L>
struct LikeReferenceOrCopy {
  operator const L&() const;
  operator L() const;
};

// Returns the fault of the function `run` of the layer L. A `run` that cannot be called is tried without the template argument
// `tokens`, and with a layer that is not const.
template <class L, std::size_t tokens>
consteval check::RunFault run_fault() {
  using check::RunFault;
  if constexpr (has_run<L, tokens, State<L>&>) {
    constexpr bool takes_a_copy =
        has_run<L, tokens, State<L>&, LikeReference<L>> && !has_run<L, tokens, State<L>&, LikeReferenceOrCopy<L>>;
    if constexpr (!std::is_empty_v<State<L>> && has_run<L, tokens, State<L>>) return RunFault::copies_its_state;
    else return takes_a_copy ? RunFault::copies_its_layer : RunFault::none;
  } else {
    constexpr bool no_template = requires(const L& layer, State<L>& state, Scratch<L, tokens>& scratch, TokenSpan<const float> in,
                                          TokenSpan<float> out, std::size_t n) { run(layer, state, scratch, in, out, n); };
    if constexpr (no_template) return RunFault::no_template;
    else return has_run<L, tokens, State<L>&, L&> ? RunFault::changes_its_layer : RunFault::unknown;
  }
}

// RunOf<L>::exists<tokens>() returns true if the layer L, or each layer in the stack or array L, has a suitable `run`, and
// otherwise causes a compile error. step, prefill and forward check this first, because a compiler prints more lines for an
// error within the functions that they call. For a type that is not a layer, exists() returns false without an error.
template <class L>
struct RunOf {
  template <std::size_t tokens>
  static consteval bool exists() {
    if constexpr (!Layer<L>) return false;
    else return check::check_run<L, run_fault<L, tokens>()>();
  }
};
template <class L>
struct RunOf<Residual<L>> : RunOf<L> {};
template <class L, std::size_t n>
struct RunOf<std::array<L, n>> : RunOf<L> {};
template <class... Members>
struct RunOf<std::tuple<Members&...>> {
  template <std::size_t tokens>
  static consteval bool exists() { return (RunOf<Members>::template exists<tokens>() && ...); }
};
template <class Parts>
  requires Layer<Stack<Parts>>
struct RunOf<Stack<Parts>> : RunOf<MemberTuple<Parts>> {};

// Runs a model on n tokens of one sequence, where n is at most `tokens`. Where possible, the sequence is passed as a stream, so
// that a program that calls both prefill and prefill_streams contains the code of the model once. On scalar targets, this
// function instead runs the code for a single sequence, which is 3 % smaller, because most programs there call only one of the
// two functions.
template <std::size_t tokens, class Model, class In>
HWY_INLINE void run_chunk(const Model& model, State<Model>& state, Scratch<Model, tokens>& scratch, In in, TokenSpan<float> out,
                          std::size_t n, Emit emit) {
  OneThread one;
  const Segment segment{reinterpret_cast<std::byte*>(&state), n};
  const auto run_with = [&](auto& states) KRAIT_LAMBDA {
    if constexpr (Summarising<Model>) run_each<tokens>(model, states, scratch, in, out, n, emit);
    else run_each<tokens>(model, states, scratch, in, out, n);
  };
  Sequences<State<Model>> as_stream{&segment, 1, 0, &one};
  constexpr bool accepts_streams = warm_up<Model> == 0;
  if constexpr (lanes > 1 && accepts_streams) run_with(as_stream);
  else run_with(state);
}

// Runs a model on n tokens, in chunks of at most `tokens` tokens. `wanted` selects the outputs that are written: the outputs of
// all tokens, of the last token, or of none.
template <std::size_t tokens, Emit wanted, class Model, class In>
HWY_NOINLINE void run_chunks(const Model& model, State<Model>& state, Scratch<Model, tokens>& scratch, In in,
                             TokenSpan<float> out, std::size_t n) {
  constexpr bool every_output = wanted == Emit::all;
  constexpr bool one_by_one = every_output && gives_one_row<Model>;  // a model that pools writes one output per call of `run`
  while (n > 0) {
    const std::size_t now = one_by_one ? 1 : std::min(n, tokens);
    run_chunk<tokens>(model, state, scratch, in, out, now, wanted == Emit::last && now < n ? Emit::nothing : wanted);
    in = advance(in, now);
    if (every_output) out = out.from(now);
    n -= now;
  }
}

// Runs a model on one token. Unlike run_chunks, this function has no loop. With a loop, compilers would compute the addresses
// of all weights before the loop and keep them on the stack.
template <Emit wanted, class Model, class In>
HWY_NOINLINE void run_one(const Model& model, State<Model>& state, Scratch<Model>& scratch, In in, TokenSpan<float> out) {
  if constexpr (Summarising<Model>) run_each<1>(model, state, scratch, in, out, 1, wanted);
  else run_each<1>(model, state, scratch, in, out, 1);
}

// step_checked and prefill_checked implement step and prefill, for arguments that the compile-time checks have accepted.
template <class Model, class In, class Out>
HWY_INLINE void step_checked(const Model& model, State<Model>& state, const In& x, Out& y, Scratch<Model>& scratch) {
  const TokenSpan<float> out = output<Model>(y);
  if constexpr (TakesTokens<Model>) run_one<emit_for<Out>>(model, state, scratch, &x, out);
  else run_one<emit_for<Out>>(model, state, scratch, TokenSpan<const float>{std::data(x), Model::d_in}, out);
}

template <class Model, class In, class Out, class Borrowed>
HWY_INLINE std::size_t prefill_checked(const Model& model, State<Model>& state, const In& xs, Out& ys, Borrowed& scratch) {
  std::size_t n = std::size(xs);
  if constexpr (emit_for<Out> == Emit::all) n = std::min<std::size_t>(n, std::size(ys));
  if (n > 0) run_chunks<Borrowed::chunk, emit_for<Out>>(model, state, scratch, input<Model>(xs), output<Model>(ys), n);
  return n;
}

}  // namespace detail

// The functions step, prefill and forward are not forced inline, because on aarch64 a caller that is compiled without the
// target's attributes cannot inline them.

// step(model, state, x, y[, scratch]) processes one token and advances `state`.
//   x        a token id (integer), or d_in floats
//   y        receives d_out floats (logits). For a language model or a stack that pools, it may be krait::no_output: then no
//            output is computed
//   scratch  any krait::Scratch<Model, n>. If omitted, step places scratch_bytes<Model> bytes on the call stack
// A token id outside the vocabulary is treated as an all-zero embedding. x and y must not overlap.
// Allocates nothing, throws nothing; executes the same instructions for every input.
template <class Model, class S, class In, class Out>
void step(const Model& model, S&& state, const In& x, Out&& y) noexcept {
  if constexpr (check::step<Model, S, const In, Out>() && detail::RunOf<Model>::template exists<1>()) {
    Scratch<Model> scratch;
    detail::step_checked(model, state, x, y, scratch);
  }
}
template <class Model, class S, class In, class Out, class Borrowed>
void step(const Model& model, S&& state, const In& x, Out&& y, Borrowed&& scratch) noexcept {
  if constexpr (check::step<Model, S, const In, Out, Borrowed>() && detail::RunOf<Model>::template exists<1>()) {
    using Found = std::remove_reference_t<Borrowed>;
    if constexpr (Found::chunk == 1) {
      detail::step_checked(model, state, x, y, scratch);
    } else {  // the caller passed a Scratch<Model, n> with n > 1: use its memory as a Scratch<Model>
      static_assert(sizeof(Scratch<Model>) <= sizeof(Found) && alignof(Scratch<Model>) <= alignof(Found));
      detail::step_checked(model, state, x, y, *::new (static_cast<void*>(&scratch)) Scratch<Model>);
      ::new (static_cast<void*>(&scratch)) Found;
    }
  }
}
KRAIT_TAKES(step, 4, 5, "krait::step takes (model, state, x, y) or (model, state, x, y, scratch)");

// prefill(model, state, xs, ys[, scratch]) processes any number of tokens. Outputs and state equal, bit for bit, the results of
// calling step for each token. Returns the number of tokens processed: the length of xs or, if ys is a shorter sequence, the
// length of ys.
//   xs       a sequence of token ids, or of vectors of d_in floats. If it is empty, nothing changes
//   ys       receives a vector of d_out floats for each token. For a language model or a stack that pools, it may also be one
//            vector, for the output of the last token, or krait::no_output
//   scratch  any krait::Scratch<Model, n>; tokens are processed n at a time. If omitted, prefill places
//            scratch_bytes<Model, default_chunk<Model>()> bytes on the call stack
// xs and ys must not overlap. Allocates nothing, throws nothing.
template <class Model, class S, class In, class Out>
std::size_t prefill(const Model& model, S&& state, const In& xs, Out&& ys) noexcept {
  if constexpr (check::prefill<Model, S, const In, Out>() && detail::RunOf<Model>::template exists<4>()) {
    Scratch<Model, default_chunk<Model>()> scratch;
    return detail::prefill_checked(model, state, xs, ys, scratch);
  } else {
    return 0;
  }
}
template <class Model, class S, class In, class Out, class Borrowed>
std::size_t prefill(const Model& model, S&& state, const In& xs, Out&& ys, Borrowed&& scratch) noexcept {
  if constexpr (check::prefill<Model, S, const In, Out, Borrowed>() && detail::RunOf<Model>::template exists<4>())
    return detail::prefill_checked(model, state, xs, ys, scratch);
  else
    return 0;
}
KRAIT_TAKES(prefill, 4, 5, "krait::prefill takes (model, state, xs, ys) or (model, state, xs, ys, scratch)");

// forward(model, xs) processes a whole sequence, whose length L is known at compile time, and returns the outputs. It starts
// from a fresh state.
//   xs       L token ids (std::array<int, L>), or krait::Tensor<float, L, d_in>
// Returns krait::Tensor<float, L, d_out>, or krait::Tensor<float, d_out> if the model is a stack that pools.
// Places the state, the scratch and the result on the call stack. Allocates nothing, throws nothing.
template <class Model, class In>
auto forward(const Model& model, const In& xs) noexcept {
  if constexpr (check::forward<Model, const In>() && detail::RunOf<Model>::template exists<4>()) {
    constexpr std::size_t length = detail::length_of<In>;
    State<Model> state{};
    Scratch<Model, std::min(length, default_chunk<Model>())> scratch;
    std::conditional_t<gives_one_row<Model>, Tensor<float, Model::d_out>, Tensor<float, length, Model::d_out>> out;
    detail::prefill_checked(model, state, xs, out, scratch);
    return out;
  } else {
    return check::Rejected{};
  }
}
KRAIT_TAKES(forward, 2, 2, "krait::forward takes (model, xs) and returns the outputs; it starts from a fresh state");

// run_layer<tokens>(layer, state, scratch, in, out, n[, emit]) calls the layer's function `run`, which nn/layer.hpp specifies.
// Call it to run a layer within a layer; it checks that there is a `run`, but not its arguments. Returns the result of `run`:
// nothing or, if the layer has a warm_up, the number of leading tokens without output.
template <std::size_t tokens, class L, class In, class... Emits>
HWY_INLINE auto run_layer(const L& layer, State<L>& state, Scratch<L, tokens>& scratch, In in, TokenSpan<float> out, std::size_t n,
                          Emits... emit) {
  if constexpr (detail::RunOf<L>::template exists<tokens>())
    return run_each<tokens>(layer, state, scratch, in, out, n, emit...);
}

// static_assert(krait::check_layer<Mine>()) checks that Mine, a layer defined by a user, meets the requirements on layers in
// nn/layer.hpp. The error message names the first requirement that Mine does not meet.
template <class L>
consteval bool check_layer() {
  if constexpr (check::layer_type<L>()) {
    if constexpr (detail::RunOf<L>::template exists<1>() && detail::RunOf<L>::template exists<4>()) {
      if constexpr (Pooling<L> || Summarising<L>)
        check::layer_run_result<L, detail::ResultOfRun<L, const L&, 1, State<L>&, Emit>>();
      else
        check::layer_run_result<L, detail::ResultOfRun<L, const L&, 1, State<L>&>>();
    }
  }
  return true;
}

KRAIT_END_TARGET

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
