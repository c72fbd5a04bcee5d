// What every layer is, and the three kinds of memory it has.
//
// A layer is a trivially copyable aggregate of weights with
//   d_in, d_out        channels of a token before and after
//   State              what must survive between steps (RAM); value-initialised, it is a fresh sequence's
//   Scratch<tokens>    what a call needs while it handles that many tokens at a time (RAM, borrowed, shareable);
//                      its member `chunk` says how many
// and, for each target, a function `run` that applies it to a run of tokens (ops/). A layer of your own needs the same.
// If its `run` may write the rows that it reads, it says so by a member type works_in_place, which saves a stack memory.
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

// A layer that makes one row of a whole sequence: the rows so far go in, their summary comes out, unless its `run`, which
// takes an Emit after the number of rows, is told Emit::nothing.
template <class T>
concept Pooling = Layer<T> && requires { requires T::pools; };

template <class T>
inline constexpr bool works_in_place = requires { requires T::works_in_place; };

// A model that takes tokens (whole numbers), not rows of floats.
template <class T>
concept TakesTokens = Layer<T> && requires { requires T::takes_tokens; };

// A model of which usually only the last answer is wanted: the language model, and stacks that pool.
template <class T>
inline constexpr bool summarises = requires { requires T::summarises; };
template <class T>
concept Summarising = Layer<T> && summarises<T>;

// A stack that pools: it makes one row of a sequence.
template <class T>
inline constexpr bool gives_one_row = Summarising<T> && !requires { T::vocab_size; };

// Which answers a summarising model is to write.
enum class Emit { nothing, last, all };

// In the place of a summarising model's output: its state takes the input in, and what only the answer needs is not
// computed, a language model's head or what stands behind a stack's pooling.
struct NoOutput {};
inline constexpr NoOutput no_output{};

// What must survive between two steps of a model or layer. `State<Model> state{};` starts a sequence; so does
// `state = {}`. Trivially copyable: saving one is copying its bytes.
template <class Model>
using State = typename Model::State;

// What a call borrows. tokens = 1 serves step; more of them make prefill faster, at the cost of memory.
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
