// Defines Sampler and FilteredSampler, the settings and the random number sequence of krait::sample, which draws a token from
// logits.
#ifndef KRAIT_CORE_SAMPLING_HPP
#define KRAIT_CORE_SAMPLING_HPP

#include <array>
#include <cstddef>

#include "krait/core/random.hpp"

namespace krait {

// Sampler draws tokens from logits in a seeded sequence. Draw n uses the 32 random bits krait::random_bits(seed, n), and no
// other state. Tokens less than 2^-32 times as likely as the most likely token are never drawn.
struct Sampler {
  float temperature = 1.0f;  // divides the logits; 0, negative or NaN draws the first of the largest logits (greedy)
  Key seed{};             // a result of krait::key(n), where n is any number
  std::size_t draws = 0;  // the index of the next draw, which krait::sample increments
};

// FilteredSampler draws as Sampler does, from the tokens that its filters keep. It contains the memory that the filters need:
// one float for each token of the vocabulary. The filters top_k, top_p and min_p apply in this order, each to the tokens that
// the previous filter kept. They always keep the most likely token, and of equally likely tokens the first ones.
template <std::size_t vocab_size>
struct FilteredSampler {
  float temperature = 1.0f;  // divides the logits, as in Sampler
  std::size_t top_k = 0;     // keeps the k most likely tokens; 0 keeps all
  float top_p = 1.0f;        // keeps the smallest set of most likely tokens with this total probability; 1 or more keeps all
  float min_p = 0.0f;        // keeps tokens whose probability is at least min_p times the largest probability; 0 keeps all
  Key seed{};
  std::size_t draws = 0;  // the index of the next draw, which krait::sample increments
  // After a draw, the weights from which the token was drawn: 1 for the most likely token, multiples of 2^-31 for the others. A
  // token of weight 0 cannot be drawn.
  std::array<float, vocab_size> weights{};
};

}  // namespace krait

#endif
