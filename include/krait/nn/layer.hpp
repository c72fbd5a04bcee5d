// The contract of a layer. Everything that step, prefill, forward, Stack, load and save do with a layer is written here;
// examples/own_layer has a layer of its own. static_assert(krait::check_layer<Mine>()), after Mine's `run`, names the first
// thing that is missing.
//
// Type. A layer is a trivially copyable aggregate of weights with
//   d_in, d_out            std::size_t constants, at least 1: floats of a token before and after
//   multiply_adds          std::size_t constant: multiply-accumulates of one token
//   State                  a trivially copyable type: what is kept between tokens. Default member initialisers make it a fresh
//                          sequence. Without padding bytes, equal states have equal bytes: krait::Strips<n> holds n floats
//                          so. krait::is_finite calls its function bool is_finite() const. krait::NoState if there is none
//   Scratch<tokens>        a trivial type: the memory that `run` needs for `tokens` tokens, with a constant
//                          `chunk` = tokens. It may hold anything before and after a call. krait::NoScratch<tokens> if none
// and these bool constants, each false if absent:
//   works_in_place         `run` may be called with `out` = `in`: a Stack then needs one buffer less
//   pools                  `run` makes one vector of all tokens so far, and takes an Emit
//   takes_tokens           the inputs are token ids, not vectors of floats
//   summarises             usually only the last output is used; `run` takes an Emit. For whole models
//   no_segment             the layer's name is no part of its parameters' names in checkpoints
//
// Weights. Members named with KRAIT_PARAMS are the parameters: krait::Matrix, Vector, Taps and DecayRates, other layers, and
// std::arrays of layers. load, save, init, convert and images process exactly these, under the names of the members. Other
// data members are not loaded; a layer that has data members must name them all. Padding between weights is 0.
//
// Function. In the namespace of the layer's type, or a parent of it that argument-dependent lookup finds:
//   template <std::size_t tokens>
//   KRAIT_INLINE void run(const Mine& layer, krait::State<Mine>& state, krait::Scratch<Mine, tokens>& scratch,
//                         krait::TokenSpan<const float> in, krait::TokenSpan<float> out, std::size_t n);
// applies the layer to n tokens (1 <= n <= tokens; n = 1 if tokens = 1) and advances the state. `in[t]` points to the d_in
// floats of token t, `out[t]` to d_out floats to write. In place of `in`, a layer that takes tokens has `const Token* in`, for
// every integer type Token. A layer that pools or summarises has `krait::Emit emit` as the last parameter: for Emit::nothing
// it advances the state and writes nothing, for Emit::last it writes out[0], for Emit::all, if it does not pool, every out[t].
//   - Only d_in floats of in[t] may be read and d_out floats of out[t] written: what follows them is not padding.
//   - Neither is aligned. `in` and `out` do not overlap, or are equal if the layer works in place.
//   - `scratch` is uninitialised. `layer` may be in flash.
//   - Outputs and state must not depend on how a sequence is divided into calls, and an output only on its token and those
//     before it. Then forward, prefill and step give the same bits.
//   - It allocates nothing and throws nothing. With KRAIT_INLINE it is compiled for each target of a program.
// krait::run_layer<tokens>(layer, state, scratch, in, out, n[, emit]) runs a layer of the library, for layers made of others.
//
// The library's own `run` functions are in ops/, per target; ops/calls-inl.hpp lists them.
#ifndef KRAIT_NN_LAYER_HPP
#define KRAIT_NN_LAYER_HPP

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "krait/core/dims.hpp"
#include "krait/core/reflect.hpp"
#include "krait/layout/token_span.hpp"

namespace krait {

struct NoState {};
template <std::size_t tokens>
struct NoScratch {
  static constexpr std::size_t chunk = tokens;
};

template <class T>
concept Layer = requires {
  { T::d_in } -> std::convertible_to<std::size_t>;
  { T::d_out } -> std::convertible_to<std::size_t>;
  typename T::State;
  typename T::template Scratch<1>;
};

// A layer that makes one vector of all tokens so far.
template <class T>
concept Pooling = Layer<T> && requires { requires T::pools; };

template <class T>
inline constexpr bool works_in_place = requires { requires T::works_in_place; };

// A layer or model whose inputs are token ids, not vectors of floats.
template <class T>
concept TakesTokens = Layer<T> && requires { requires T::takes_tokens; };

// A model of which usually only the last output is used: the language model, and stacks that pool.
template <class T>
inline constexpr bool summarises = requires { requires T::summarises; };
template <class T>
concept Summarising = Layer<T> && summarises<T>;

// A stack that pools: it makes one vector of a sequence.
template <class T>
inline constexpr bool gives_one_row = Summarising<T> && !requires { T::vocab_size; };

// Which outputs a model that summarises writes.
enum class Emit { nothing, last, all };

// The type of no_output. Passed in the place of an output, it advances the state without computing the output: a language model
// skips its head, and a stack that pools skips the layers after the pooling layer.
struct NoOutput {};
inline constexpr NoOutput no_output{};

// What a model or layer keeps between two tokens. `State<Model> state;` is a fresh sequence, and `state = {}` starts another.
// Trivially copyable: copying its bytes saves it.
template <class Model>
using State = typename Model::State;

// The memory that a call borrows, for `tokens` tokens at a time. step needs one; more make prefill faster.
template <class Model, std::size_t tokens = 1>
using Scratch = typename Model::template Scratch<tokens>;

// Budgets, in bytes. An empty state or scratch takes none.
template <class Model>
inline constexpr std::size_t flash_bytes = sizeof(Model);
template <class Model>
inline constexpr std::size_t state_bytes = std::is_empty_v<State<Model>> ? 0 : sizeof(State<Model>);
template <class Model, std::size_t tokens = 1>
inline constexpr std::size_t scratch_bytes =
    std::is_empty_v<Scratch<Model, tokens>> ? 0 : sizeof(Scratch<Model, tokens>);

// Multiplications and additions pairwise, of one step of one token: every linear layer's, the convolution's and the
// recurrence's (three for each of d_inner * d_state), not the element-wise functions'.
template <class Model>
inline constexpr std::size_t multiply_adds_per_step = Model::multiply_adds;

// How many tokens prefill handles at a time unless told otherwise: as many (a power of two, at most 64) as keep the
// scratch, which is then on the stack, within 256 KiB.
template <class Model>
KRAIT_INLINE constexpr std::size_t default_chunk() {
  if constexpr (scratch_bytes<Model, 64> <= 256 * 1024) return 64;
  else if constexpr (scratch_bytes<Model, 16> <= 256 * 1024) return 16;
  else if constexpr (scratch_bytes<Model, 4> <= 256 * 1024) return 4;
  else return 1;
}

}  // namespace krait

#endif
