// Defines Sampling and Sampler, the settings and the random number sequence of krait::sample, which draws a token from logits.
#ifndef KRAIT_CORE_SAMPLING_HPP
#define KRAIT_CORE_SAMPLING_HPP

#include <cstddef>

#include "krait/core/random.hpp"

namespace krait {

// Sampling contains the settings for drawing a token from logits. The filters top_k, top_p and min_p apply in this order, each
// to the tokens that the previous filter kept. They always keep the most likely token, and of equally likely tokens the first
// ones. Tokens less than 2^-32 times as likely as the most likely token are never drawn.
struct Sampling {
  float temperature = 1.0f;  // divides the logits; 0, negative or NaN draws the first of the largest logits (greedy)
  std::size_t top_k = 0;     // keeps the k most likely tokens; 0 keeps all
  float top_p = 1.0f;        // keeps the smallest set of most likely tokens with this total probability; 1 or more keeps all
  float min_p = 0.0f;        // keeps tokens whose probability is at least min_p times the largest probability; 0 keeps all
};

// Sampler is a seeded sequence of draws. Draw n uses the 32 random bits krait::random_bits(seed, n), and no other state.
struct Sampler {
  Sampling sampling;
  Key seed;
  std::size_t draws = 0;  // the index of the next draw, which krait::sample increments
};

}  // namespace krait

#endif
