// Defines what a layer is: the members of its type, and the function `run`, which step, prefill, forward and Stack call.
// examples/own_layer shows a layer written by a user. static_assert(krait::check_layer<MyLayer>()), placed after the `run`
// of a layer MyLayer, reports the first requirement that MyLayer does not meet.
//
// Type. A layer is a trivially copyable aggregate of weights with
//   d_in, d_out            std::size_t constants, at least 1: the number of floats in a token's input and output
//   multiply_adds          std::size_t constant: the number of multiply-accumulates for one token
//   State                  a trivially copyable type: the data kept from one token to the next; krait::NoState if there is
//                          none. State{} is the state before the first token. The type should have no padding bytes, so that
//                          equal states have equal bytes: krait::Strips<n> stores n floats in this way. krait::is_finite
//                          calls State's member function bool is_finite() const
//   Scratch<tokens>        a trivial type: the memory that `run` needs for `tokens` tokens; krait::NoScratch<tokens> if it
//                          needs none. It has a constant `chunk` = tokens. Its content before and after a call is unspecified
// and these bool constants, each false if absent:
//   works_in_place         `run` may be called with `out` = `in`: a Stack then needs one buffer less
//   pools                  `run` computes one vector from all tokens so far, and takes an Emit
//   takes_tokens           the inputs are token ids, not vectors of floats
//   summarises             callers usually need only the last output, so `run` takes an Emit. Meant for whole models
//   no_segment             names of parameters in checkpoints do not contain the name of this layer
// and this std::size_t constant, which is 0 if absent:
//   warm_up                the first warm_up tokens of a sequence have no output. `run` writes zeros to their outputs and
//                          returns, as a std::size_t, the number of leading tokens of the call that have no output. In a
//                          Stack, only the first member may have a warm_up. The members after it do not process tokens
//                          without output, and the stack has the same warm_up. The output of a stack that pools is zeros
//                          until a token has an output
//
// Weights. KRAIT_PARAMS declares the layer's parameters as data members: krait::Matrix, Vector, Taps and DecayRates, other
// layers, and std::arrays of layers. load, save, init, convert and images process exactly these members, under their names. A
// layer must declare all its data members in this way. Padding between weights is 0.
//
// Function. The layer needs this function in a namespace that argument-dependent lookup searches, such as the layer's own:
//   template <std::size_t tokens>
//   KRAIT_INLINE void run(const MyLayer& layer, krait::State<MyLayer>& state, krait::Scratch<MyLayer, tokens>& scratch,
//                         krait::TokenSpan<const float> in, krait::TokenSpan<float> out, std::size_t n);
// `run` applies the layer to n tokens (1 <= n <= tokens) and advances the state. `in[t]` points to the d_in floats of token t,
// and `run` writes d_out floats to `out[t]`. If the layer takes token ids, the parameter `in` has the type const Token*, for
// every integer type Token. If the layer pools or summarises, `run` has a last parameter `krait::Emit emit`: with Emit::nothing
// it writes no output, with Emit::last it writes out[0], and with Emit::all it writes every out[t], or out[0] if it pools.
//   - `run` must read no more than d_in floats of in[t] and write no more than d_out floats of out[t].
//   - `in` and `out` may be unaligned. They do not overlap, except that they may be equal if the layer works in place.
//   - `scratch` is uninitialised. `layer` may be in flash, and a copy of it would be on the call stack, so take a reference.
//   - Outputs and state must not depend on how a sequence is divided into calls, and an output must depend only on its token
//     and the tokens before it. Then forward, prefill and step give the same bits.
//   - `run` allocates nothing and throws nothing. KRAIT_INLINE compiles it for each SIMD target of a program.
// A layer that contains layers of the library calls krait::run_layer<tokens>(layer, state, scratch, in, out, n[, emit]).
//
// The `run` functions of the library's own layers are in ops/, once for each SIMD target; ops/calls-inl.hpp lists them.
#ifndef KRAIT_NN_LAYER_HPP
#define KRAIT_NN_LAYER_HPP

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "krait/core/dims.hpp"
#include "krait/core/reflect.hpp"
#include "krait/layout/token_span.hpp"

namespace krait {

// NoState is the State of a layer that keeps nothing between tokens.
struct NoState {};

// NoScratch is the Scratch of a layer that needs no scratch memory.
template <std::size_t tokens>
struct NoScratch {
  static constexpr std::size_t chunk = tokens;
};

namespace detail {
// SameWidth<L, width> has the constants of a layer L whose output has as many channels as its input and may overwrite the
// input. L is a template parameter so that different layers have different base classes, because two empty base classes of the
// same type would add padding to a model.
template <class L, std::size_t width>
struct SameWidth {
  static constexpr bool works_in_place = true;
  static constexpr std::size_t d_in = width;
  static constexpr std::size_t d_out = width;
};

// DimsOfModel is satisfied by the dims of the language models Mamba, Mamba2 and Mamba3, and DimsOfBlock by the dims of their
// blocks.
template <class T>
concept DimsOfModel = requires(T dims) { dims.vocab_size; dims.expand; };
template <class T>
concept DimsOfBlock = requires(T dims) { dims.d_model; dims.expand; } && !DimsOfModel<T>;

// RejectedLayer is the base class of a Stack or Residual whose layers were rejected. It is not a layer, so that calls with it
// cause no further errors.
struct RejectedLayer {
  static constexpr bool is_rejected = true;
  static constexpr std::size_t d_in = 1, d_out = 1;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};

// For a Stack T, Nesting<T>::members is the number of layers in it, including the layers of stacks within it, and levels is the
// depth to which stacks are nested. A Residual<L> counts as a stack of two layers, one of which is L. For any other layer,
// members is 1 and levels is 0.
template <class T>
struct Nesting {
  static constexpr std::size_t members = 1, levels = 0;
};
template <class T>
  requires requires { T::levels; }
struct Nesting<T> {
  static constexpr std::size_t members = T::members, levels = T::levels;
};
}  // namespace detail

// Layer is satisfied by layers and models. They are recognised by the members that every layer has.
template <class T>
concept Layer = requires {
  { T::d_in } -> std::convertible_to<std::size_t>;
  { T::d_out } -> std::convertible_to<std::size_t>;
  typename T::State;
  typename T::template Scratch<1>;
} && !requires { T::is_rejected; };  // excludes a Stack or Residual whose error has been reported

// Pooling is satisfied by layers that compute one vector from all tokens so far.
template <class T>
concept Pooling = Layer<T> && requires { requires T::pools; };

// True if a layer's output may overwrite its input.
template <class T>
inline constexpr bool works_in_place = requires { requires T::works_in_place; };

// warm_up<T> is the number of tokens at the start of a sequence for which the layer T has no output.
template <class T>
inline constexpr std::size_t warm_up = 0;
template <class T>
  requires requires { T::warm_up; }
inline constexpr std::size_t warm_up<T> = T::warm_up;

// TakesTokens is satisfied by layers and models whose inputs are token ids, not vectors of floats.
template <class T>
concept TakesTokens = Layer<T> && requires { requires T::takes_tokens; };

// True for models whose callers usually need only the last output: language models, and stacks with a pooling layer.
template <class T>
inline constexpr bool summarises = requires { requires T::summarises; };
template <class T>
concept Summarising = Layer<T> && summarises<T>;

// True for a stack with a pooling layer, which computes one vector from a whole sequence.
template <class T>
inline constexpr bool gives_one_row = Summarising<T> && !requires { T::vocab_size; };

// Emit selects the outputs that a call of `run` writes: no output, the last token's, or every token's.
enum class Emit { nothing, last, all };

// NoOutput is the type of no_output. Callers pass no_output instead of an output to advance only the state. A language model
// then skips its output head, and a stack with a pooling layer skips the layers after the pooling layer.
struct NoOutput {};
inline constexpr NoOutput no_output{};

// State<Model> is the memory that a model or layer keeps from one token to the next. `State<Model> state;` starts a sequence,
// and `state = {}` starts a new one. The type is trivially copyable, so copying its bytes saves it.
template <class Model>
using State = typename Model::State;

// Scratch<Model, tokens> is working memory for a call that processes up to `tokens` tokens at a time. Its content is not kept
// between calls. step needs memory for only one token; prefill is faster with memory for several.
template <class Model, std::size_t tokens = 1>
using Scratch = typename Model::template Scratch<tokens>;

// flash_bytes, state_bytes and scratch_bytes are the sizes in bytes of a model's weights, state and scratch. An empty state or
// scratch has 0 bytes.
template <class Model>
inline constexpr std::size_t flash_bytes = sizeof(Model);
template <class Model>
inline constexpr std::size_t state_bytes = std::is_empty_v<State<Model>> ? 0 : sizeof(State<Model>);
template <class Model, std::size_t tokens = 1>
inline constexpr std::size_t scratch_bytes =
    std::is_empty_v<Scratch<Model, tokens>> ? 0 : sizeof(Scratch<Model, tokens>);

// The number of multiply-accumulates in one step. It includes linear layers, convolutions, norms and recurrences, but not
// element-wise functions such as SiLU.
template <class Model>
inline constexpr std::size_t multiply_adds_per_step = Model::multiply_adds;

// Returns the number of tokens that prefill processes at a time if the caller passes no scratch. It is the largest of 64, 16, 4
// and 1 for which the scratch, which prefill then places on the call stack, takes at most 256 KiB.
template <class Model>
KRAIT_INLINE constexpr std::size_t default_chunk() {
  if constexpr (scratch_bytes<Model, 64> <= 256 * 1024) return 64;
  else if constexpr (scratch_bytes<Model, 16> <= 256 * 1024) return 16;
  else if constexpr (scratch_bytes<Model, 4> <= 256 * 1024) return 4;
  else return 1;
}

}  // namespace krait

#endif
