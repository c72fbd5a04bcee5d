// forward, prefill and step, for every layer and model alike: one place for what they promise and what they refuse.
#if defined(KRAIT_OPS_VERBS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_VERBS_INL_HPP
#undef KRAIT_OPS_VERBS_INL_HPP
#else
#define KRAIT_OPS_VERBS_INL_HPP
#endif

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <type_traits>

#include "krait/core/check.hpp"
#include "krait/core/rows.hpp"
#include "krait/nn/layer.hpp"
#include "krait/ops/conv1d-inl.hpp"
#include "krait/ops/embedding-inl.hpp"
#include "krait/ops/linear-inl.hpp"
#include "krait/ops/mamba-inl.hpp"
#include "krait/ops/mamba_block-inl.hpp"
#include "krait/ops/pooling-inl.hpp"
#include "krait/ops/residual_block-inl.hpp"
#include "krait/ops/rms_norm-inl.hpp"
#include "krait/ops/ssm-inl.hpp"
#include "krait/ops/stack-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {
namespace detail {
using namespace krait::detail;

// The type that was found, made visible in messages.
template <class T>
struct found {
  static constexpr bool is_layer = Layer<T> || requires { T::is_rejected; };  // a rejected stack has its own message
  static constexpr bool is_token = Token<T>;
  static constexpr bool is_token_sequence = TokenSequence<T>;
  static constexpr bool is_row = Row<T>;
  static constexpr bool is_row_to_write = Row<T> && !std::is_const_v<element<T>>;
  static constexpr bool is_row_sequence = RowSequence<T>;
  static constexpr bool is_scratch = requires { T::chunk; };
  static constexpr bool is_summarising = Summarising<T>;
};

template <class Out>
inline constexpr bool is_no_output = std::is_same_v<std::remove_cv_t<Out>, NoOutput>;
// What is asked for by what it is to be written to.
template <class Out>
inline constexpr Emit wanted = RowSequence<Out> ? Emit::all : is_no_output<Out> ? Emit::nothing : Emit::last;

// Each of these stands for one misuse: true if all is well, and otherwise the only error there is.
template <class Model, class Found>
consteval bool check_state() {
  using Wanted = State<Model>;
  if constexpr (!std::is_same_v<Found, Wanted>) {
    if constexpr (sizeof(Found) != sizeof(Wanted))
      static_assert(check::got<sizeof(Found)>::template wants<sizeof(Wanted)>,
                    "krait: state must be a krait::State<Model> of this very model (sizes in bytes above)");
    else
      static_assert(check::got_type<Found>::template wants<Wanted>,
                    "krait: state must be a krait::State<Model> of this very model");
  }
  return std::is_same_v<Found, Wanted>;
}

template <std::size_t wanted, class Found>
consteval bool check_input_row() {
  if constexpr (!Row<Found>) {
    static_assert(found<Found>::is_row,
                  "krait::step(layer, state, x, y): x must be a row of floats of known length: krait::Tensor<float, n>, std::array, float[n] or std::span<float, n>");
    return false;
  } else {
    static_assert(check::got<row_extent<Found>>::template wants<wanted>,
                  "krait::step(layer, state, x, y): x must hold d_in elements (one token, not the whole sequence)");
    return row_extent<Found> == wanted;
  }
}

template <std::size_t wanted, class Found>
consteval bool check_output_row() {
  if constexpr (!Row<Found> || std::is_const_v<element<Found>>) {
    static_assert(found<Found>::is_row_to_write,
                  "krait: the output must be a row of floats of known length that can be written: krait::Tensor<float, n>, std::array, float[n] or std::span<float, n>");
    return false;
  } else {
    static_assert(check::got<row_extent<Found>>::template wants<wanted>,
                  "krait: the output must hold d_out elements (logits: vocab_size)");
    return row_extent<Found> == wanted;
  }
}

template <class Model, class In>
consteval bool check_sequence() {
  if constexpr (TakesTokens<Model>) {
    static_assert(found<In>::is_token_sequence, "krait: tokens must be an array, vector or span of whole numbers");
    return TokenSequence<In>;
  } else if constexpr (!RowSequence<In>) {
    static_assert(found<In>::is_row_sequence,
                  "krait: xs must be a sequence of rows of known length: krait::Tensor<float, L, n>, or an array, vector or span of krait::Tensor<float, n>");
    return false;
  } else {
    static_assert(check::got<row_extent<element<In>>>::template wants<Model::d_in>,
                  "krait: every row of xs must hold d_in elements");
    return row_extent<element<In>> == Model::d_in;
  }
}

// A step's input: a token or a row.
template <class Model, class Found>
consteval bool check_input() {
  if constexpr (TakesTokens<Model>) {
    static_assert(found<Found>::is_token,
                  "krait::step(model, state, token, logits): token must be a whole number (one token, not a sequence)");
    return Token<Found>;
  } else {
    return check_input_row<Model::d_in, Found>();
  }
}

// A step's output: a row, or, of a summarising model, none.
template <class Model, class Found>
consteval bool check_output() {
  if constexpr (is_no_output<Found>) {
    static_assert(found<Model>::is_summarising,
                  "krait::no_output: only a language model or a stack that pools computes something for its output alone");
    return Summarising<Model>;
  } else {
    return check_output_row<Model::d_out, Found>();
  }
}

// A prefill's outputs: a row for each token, or, of a summarising model, one for the last or none.
template <class Model, class Found>
consteval bool check_outputs() {
  if constexpr (is_no_output<Found>) {
    return check_output<Model, Found>();
  } else if constexpr (RowSequence<Found>) {
    return check_output_row<Model::d_out, element<Found>>();
  } else {
    static_assert(Summarising<Model> || !Row<Found>,
                  "krait::prefill(layer, state, xs, ys): ys must be a sequence of rows, one for each of xs");
    return check_output_row<Model::d_out, Found>() && Summarising<Model>;
  }
}

template <class Model, class Borrowed, bool one_token = false>
consteval bool check_scratch() {
  if constexpr (requires { Borrowed::chunk; }) {
    constexpr bool of_model = std::is_same_v<Borrowed, Scratch<Model, Borrowed::chunk>>;
    static_assert(check::got_type<Borrowed>::template wants<Scratch<Model, Borrowed::chunk>>,
                  "krait: scratch must be a krait::Scratch<Model, tokens> of this very model");
    if constexpr (of_model && one_token) {
      static_assert(check::got<Borrowed::chunk>::template wants<1>,
                    "krait::step(model, state, x, y, scratch): scratch must be a krait::Scratch<Model>, which is for one token");
      return Borrowed::chunk == 1;
    }
    return of_model;
  } else {
    static_assert(found<Borrowed>::is_scratch, "krait: scratch must be a krait::Scratch<Model, tokens>");
    return false;
  }
}

// Where a model reads from: tokens as they are, rows as pointer and stride.
template <class Model, class In>
HWY_INLINE auto input(const In& in) {
  if constexpr (TakesTokens<Model>) return static_cast<const element<const In>*>(std::data(in));
  else return TokenSpan<const float>{std::data(*std::data(in)), Model::d_in};
}
template <class T>
HWY_INLINE const T* advance(const T* tokens, std::size_t n) { return tokens + n; }
HWY_INLINE TokenSpan<const float> advance(TokenSpan<const float> rows, std::size_t n) { return rows.from(n); }

// Where the outputs go.
template <class Model, class Out>
HWY_INLINE TokenSpan<float> output(Out& y) {
  if constexpr (is_no_output<Out>) return {nullptr, Model::d_out};
  else if constexpr (RowSequence<Out>) return {std::data(*std::data(y)), Model::d_out};
  else return {std::data(y), Model::d_out};
}

// A run of any length, in chunks of `tokens`: an output row for each token, one for the last, or none.
template <std::size_t tokens, Emit wanted, class Model, class In>
HWY_NOINLINE void run_chunks(const Model& model, State<Model>& state, Scratch<Model, tokens>& scratch, In in,
                             TokenSpan<float> out, std::size_t n) {
  constexpr bool every_row = wanted == Emit::all;
  constexpr bool one_by_one = every_row && gives_one_row<Model>;  // a summary of every beginning
  while (n > 0) {
    const std::size_t now = one_by_one ? 1 : std::min(n, tokens);
    if constexpr (Summarising<Model>)
      run<tokens>(model, state, scratch, in, out, now, wanted == Emit::last && now < n ? Emit::nothing : wanted);
    else
      run<tokens>(model, state, scratch, in, out, now);
    in = advance(in, now);
    if (every_row) out = out.from(now);
    n -= now;
  }
}

// One token. Not run_chunks, whose loop would make a compiler work out the addresses of all weights before it, and keep them.
template <Emit wanted, class Model, class In>
HWY_NOINLINE void run_one(const Model& model, State<Model>& state, Scratch<Model>& scratch, In in, TokenSpan<float> out) {
  if constexpr (Summarising<Model>) run<1>(model, state, scratch, in, out, 1, wanted);
  else run<1>(model, state, scratch, in, out, 1);
}

}  // namespace detail

// The public verbs are not forced inline: a caller outside of the target's attributes could not inline them (aarch64).

// step(model, state, x, y[, scratch]): one token. x: a token or a row of d_in floats; y: a row of d_out floats (logits).
// Continues the sequence that `state` stands for, and brings it up to date. Allocates nothing; the scratch, where it is
// not given, is on the stack: scratch_bytes<Model>. x and y must not overlap. The same instructions whatever the data.
// A token outside the vocabulary counts as a row of zeros. Of a model that summarises, krait::no_output for y brings the
// state up to date and saves the answer.
template <Layer Model, class S, class In, class Out, class Borrowed>
void step(const Model& model, S& state, const In& x, Out&& y, Borrowed& scratch) noexcept {
  constexpr bool good = detail::check_state<Model, S>() && detail::check_scratch<Model, Borrowed, true>() &&
                        detail::check_input<Model, const In>() &&
                        detail::check_output<Model, std::remove_reference_t<Out>>();
  if constexpr (good) {
    constexpr Emit wanted = detail::wanted<std::remove_reference_t<Out>>;
    const TokenSpan<float> out = detail::output<Model>(y);
    if constexpr (TakesTokens<Model>) detail::run_one<wanted>(model, state, scratch, &x, out);
    else detail::run_one<wanted>(model, state, scratch, TokenSpan<const float>{std::data(x), Model::d_in}, out);
  }
}
template <Layer Model, class S, class In, class Out>
void step(const Model& model, S& state, const In& x, Out&& y) noexcept {
  Scratch<Model> scratch;
  step(model, state, x, y, scratch);
}

// prefill(model, state, xs, ys[, scratch]): any number of tokens or rows at once, known at run time; the same bits as
// that many steps. ys is a sequence of rows, one for each of xs; or, for a model that summarises (a language model, a
// stack that pools), a single row for the last, or krait::no_output. Works in chunks of as many tokens as the scratch
// is for; left out, it is on the stack: scratch_bytes<Model, default_chunk<Model>()>. Gives the number of tokens taken:
// all, or what ys has rows for. An empty xs changes nothing. Allocates nothing; xs and ys must not overlap.
template <Layer Model, class S, class In, class Out, class Borrowed>
std::size_t prefill(const Model& model, S& state, const In& xs, Out&& ys, Borrowed& scratch) noexcept {
  using Output = std::remove_reference_t<Out>;
  constexpr bool good = detail::check_state<Model, S>() && detail::check_scratch<Model, Borrowed>() &&
                        detail::check_sequence<Model, const In>() && detail::check_outputs<Model, Output>();
  if constexpr (good) {
    constexpr Emit wanted = detail::wanted<Output>;
    std::size_t n = std::size(xs);
    if constexpr (wanted == Emit::all) n = std::min<std::size_t>(n, std::size(ys));
    if (n > 0)
      detail::run_chunks<Borrowed::chunk, wanted>(model, state, scratch, detail::input<Model>(xs),
                                                  detail::output<Model>(ys), n);
    return n;
  }
  return 0;
}
template <Layer Model, class S, class In, class Out>
std::size_t prefill(const Model& model, S& state, const In& xs, Out&& ys) noexcept {
  Scratch<Model, default_chunk<Model>()> scratch;
  return prefill(model, state, xs, ys, scratch);
}

// forward(model, xs): a whole sequence of a length known at compile time, from a fresh state. xs: an array of tokens, or
// krait::Tensor<float, L, d_in>. Gives krait::Tensor<float, L, d_out>, or, for a stack that pools, Tensor<float, d_out>.
// Allocates nothing; its state, its scratch and the result are on the stack.
template <Layer Model, class In>
auto forward(const Model& model, const In& xs) noexcept {
  constexpr std::size_t length = detail::row_extent<In>;
  static_assert(length > 0, "krait::forward(model, xs): xs must have a length known at compile time: use krait::prefill for others");
  using Output = std::conditional_t<gives_one_row<Model>, Tensor<float, Model::d_out>, Tensor<float, std::max<std::size_t>(length, 1), Model::d_out>>;
  Output out;
  if constexpr (length > 0) {
    constexpr std::size_t tokens = std::min(length, default_chunk<Model>());
    State<Model> state{};
    Scratch<Model, tokens> scratch;
    prefill(model, state, xs, out, scratch);
  }
  return out;
}

// Something that is no layer, where the layer belongs.
template <class Model, class... More>
  requires(!Layer<Model>)
void step(const Model&, More&&...) noexcept {
  static_assert(detail::found<Model>::is_layer, "krait::step(model, state, x, y): model must be a layer or a model");
}
template <class Model, class... More>
  requires(!Layer<Model>)
std::size_t prefill(const Model&, More&&...) noexcept {
  static_assert(detail::found<Model>::is_layer, "krait::prefill(model, state, xs, ys): model must be a layer or a model");
  return 0;
}
template <class Model, class... More>
  requires(!Layer<Model>)
int forward(const Model&, More&&...) noexcept {
  static_assert(detail::found<Model>::is_layer, "krait::forward(model, xs): model must be a layer or a model");
  return 0;
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
