// Defines StreamScratch, the working memory of step_streams and prefill_streams.
#ifndef KRAIT_NN_STREAM_SCRATCH_HPP
#define KRAIT_NN_STREAM_SCRATCH_HPP

#include <array>
#include <cstddef>

#include "krait/nn/mamba.hpp"
#include "krait/nn/sequences.hpp"

namespace krait {

namespace detail {
// The memory of a StreamScratch for inputs, unless they are token ids, and for outputs, unless they are logits.
template <class Model, std::size_t tokens>
struct StreamInputs {
  TokenBuffer<tokens, Model::d_in> inputs;
};
template <class Model, std::size_t tokens>
  requires TakesTokens<Model>
struct StreamInputs<Model, tokens> {};
template <class Model, std::size_t tokens>
struct StreamOutputs {
  TokenBuffer<tokens, Model::d_out> outputs;
};
template <class Model, std::size_t tokens>
  requires LanguageModel<Model>
struct StreamOutputs<Model, tokens> {};
}  // namespace detail

// StreamScratch<Model, tokens> is working memory for calls that process up to `tokens` tokens of several sequences at a time: a
// Scratch<Model, tokens>, a list of the sequences (4 addresses or sizes for each token), and for each token a vector of inputs
// unless the inputs are token ids, and a vector of outputs unless the model is a language model. Its content is not kept
// between calls.
template <class Model, std::size_t tokens>
struct StreamScratch : detail::StreamInputs<Model, tokens>, detail::StreamOutputs<Model, tokens> {
  static constexpr std::size_t chunk = tokens;
  using StreamModel = Model;
  // The sequence that segment i belongs to: its number in the call, and the position of the segment's first token.
  struct Position {
    std::size_t stream, first;
  };
  [[no_unique_address]] Scratch<Model, tokens> model;
  std::array<Segment, tokens> segments;
  std::array<Position, tokens> positions;
};

// The size of a StreamScratch in bytes.
template <class Model, std::size_t tokens>
inline constexpr std::size_t stream_scratch_bytes = sizeof(StreamScratch<Model, tokens>);

}  // namespace krait

#endif
