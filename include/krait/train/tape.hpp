// Defines Tape, the memory in which `record` keeps what `backward` needs, and Worker, the memory of a thread.
#ifndef KRAIT_TRAIN_TAPE_HPP
#define KRAIT_TRAIN_TAPE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "krait/train/stack_recording.hpp"

namespace krait {

// Tape<Model, tokens> is the memory in which `record` keeps what `backward` needs, for windows of up to `tokens` tokens, and
// the working memory of both. Its content before `record` is unspecified. Layers before the first one with a parameter that
// Trained selects need no tape.
template <class Model, std::size_t tokens, class Trained = Everything>
struct Tape {
  using Selection = Trained;
  using Gradient = typename Gradients<Model, Trained>::Sums;
  static constexpr std::size_t window = tokens;
  static constexpr bool input_gradient = !TakesTokens<Model> && requires { requires Trained::input_gradient; };
  static constexpr std::size_t outputs = gives_one_row<Model> ? 1 : tokens;

  std::size_t length;  // the number of tokens that `record` processed
  std::conditional_t<TakesTokens<Model>, std::array<std::uint32_t, tokens>, TokenBuffer<tokens, Model::d_in>> inputs;
  TokenBuffer<outputs, Model::d_out> out;  // the outputs; in `backward`, their gradient
  [[no_unique_address]] std::conditional_t<input_gradient, TokenBuffer<tokens, Model::d_in>, detail::Frozen> dinputs;
  [[no_unique_address]] detail::TapeOf<Model, Gradient, input_gradient, tokens> tape;
  [[no_unique_address]] detail::WorkOf<Model, Gradient, input_gradient, tokens> work;
  KRAIT_INLINE Tape() = default;
};

// Worker is the memory with which a thread computes the gradient of one window at a time.
template <class Model, std::size_t tokens, class Trained = Everything>
struct Worker {
  Tape<Model, tokens, Trained> tape;
  Gradients<Model, Trained> gradients;
  KRAIT_INLINE Worker() = default;
};

// The size in bytes of a tape.
template <class Model, std::size_t tokens, class Trained = Everything>
inline constexpr std::size_t tape_bytes = sizeof(Tape<Model, tokens, Trained>);

}  // namespace krait

#endif
