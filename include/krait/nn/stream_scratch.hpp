// Defines StreamScratch, the working memory of step_streams and prefill_streams.
#ifndef KRAIT_NN_STREAM_SCRATCH_HPP
#define KRAIT_NN_STREAM_SCRATCH_HPP

#include <array>
#include <cstddef>
#include <type_traits>

#include "krait/nn/mamba.hpp"
#include "krait/nn/sequences.hpp"

namespace krait {

namespace detail {
// OptionalTokens is the type of a member of StreamScratch. If `present` is true, the member has `tokens` vectors of `width`
// floats. Otherwise it has the empty type Absent<number>, where `number` differs between members, because two empty members of
// one type would take space.
template <int number>
struct Absent {};
template <bool present, std::size_t tokens, std::size_t width, int number>
using OptionalTokens = std::conditional_t<present, TokenBuffer<tokens, width>, Absent<number>>;
}  // namespace detail

// StreamScratch<Model, tokens> is working memory for calls that process up to `tokens` tokens of several sequences at a time.
// Its content is not kept between calls. It contains
//   - a Scratch<Model, tokens>
//   - a table of at most `tokens` sequences: the address of the state, and which tokens belong to the sequence
//   - an input vector for each token, unless the inputs are token ids
//   - an output vector for each token, unless the model is a language model
template <class Model, std::size_t tokens>
struct StreamScratch {
  static constexpr std::size_t chunk = tokens;
  using StreamModel = Model;
  // Position describes the tokens of a segment: the index of their sequence, and the position of their first token in this
  // sequence.
  struct Position {
    std::size_t stream, first;
  };
  [[no_unique_address]] detail::OptionalTokens<!TakesTokens<Model>, tokens, Model::d_in, 0> inputs;
  [[no_unique_address]] detail::OptionalTokens<!LanguageModel<Model>, tokens, Model::d_out, 1> outputs;
  [[no_unique_address]] Scratch<Model, tokens> model;
  std::array<Segment, tokens> segments;
  std::array<Position, tokens> positions;  // positions[i] belongs to segments[i]
};

// The size of a StreamScratch in bytes.
template <class Model, std::size_t tokens>
inline constexpr std::size_t stream_scratch_bytes = sizeof(StreamScratch<Model, tokens>);

}  // namespace krait

#endif
