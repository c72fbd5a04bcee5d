// Settings and random sequence of krait::sample, which draws a token from logits.
#ifndef KRAIT_CORE_SAMPLING_HPP
#define KRAIT_CORE_SAMPLING_HPP

#include <cstddef>

#include "krait/core/random.hpp"

namespace krait {

// Filters apply in this order, each to the tokens kept by the previous one. The most likely token is always kept. Of equally
// likely tokens, the first are kept. Tokens less than 2^-32 times as likely as the most likely one are never drawn.
struct Sampling {
  float temperature = 1.0f;  // divides the logits; 0 or less, or NaN: greedy, draws the first of the largest logits
  std::size_t top_k = 0;     // keeps the k most likely tokens; 0: all
  float top_p = 1.0f;        // keeps the fewest of the most likely tokens that together reach this share; 1 or more: all
  float min_p = 0.0f;        // keeps tokens at least this many times as likely as the most likely one; 0: all
};

// A seeded sequence of draws. The n-th draw uses the 32 random bits krait::random_bits(seed, n), and nothing else.
struct Sampler {
  Sampling sampling;
  Key seed;
  std::size_t draws = 0;  // the next draw's number
};

}  // namespace krait

#endif
