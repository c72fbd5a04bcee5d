// Defines Sampler and FilteredSampler. They contain the settings and the random number sequence of krait::sample, which draws a
// token from logits.
#ifndef KRAIT_CORE_SAMPLING_HPP
#define KRAIT_CORE_SAMPLING_HPP

#include <array>
#include <cstddef>

#include "krait/core/random.hpp"

namespace krait {

// Sampler contains the settings of krait::sample and the position in a seeded sequence of draws. Draw number n uses the 32
// random bits krait::random_bits(seed, n), and no other state. Tokens less than 2^-32 times as likely as the most likely token
// are never drawn.
struct Sampler {
  float temperature = 1.0f;  // divides the logits; if 0, negative or NaN, draws the first token with the largest logit (greedy)
  Key seed{};             // krait::key(n), where n is any integer
  std::size_t draws = 0;  // the index of the next draw, which krait::sample increments
};

// FilteredSampler draws as Sampler does, but only from the tokens that its filters keep. It contains the memory that the
// filters need: one float for each token of the vocabulary. The filters top_k, top_p and min_p are applied in this order, each
// to the tokens that the previous filter kept. A filter always keeps the most likely token. If it can keep only some of several
// equally likely tokens, it keeps those with the lowest ids.
template <std::size_t vocab_size>
struct FilteredSampler {
  float temperature = 1.0f;  // divides the logits, as in Sampler
  std::size_t top_k = 0;     // keeps the k most likely tokens; 0 keeps all
  float top_p = 1.0f;        // keeps the most likely tokens until their total probability reaches top_p; 1 or more keeps all
  float min_p = 0.0f;        // keeps tokens whose probability is at least min_p times the largest probability; 0 keeps all
  Key seed{};
  std::size_t draws = 0;  // the index of the next draw, which krait::sample increments
  // After a draw, the weight of each token in this draw: 1 for the most likely token, and a multiple of 2^-31 in proportion to
  // the probability for other tokens. A token of weight 0 cannot be drawn.
  std::array<float, vocab_size> weights{};
};

}  // namespace krait

#endif
