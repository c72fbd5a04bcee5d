// How the next token is drawn from logits.
#ifndef KRAIT_CORE_SAMPLING_HPP
#define KRAIT_CORE_SAMPLING_HPP

#include <cstddef>

#include "krait/core/random.hpp"

namespace krait {

// The filters apply in this order, each to what the one before has kept.
struct Sampling {
  float temperature = 1.0f;  // logits are divided by it; 0 or less: greedy, the largest logit, the first of equals
  std::size_t top_k = 0;     // keep the k most likely tokens, of equals the first; 0: all
  float top_p = 1.0f;        // keep the most likely tokens that together reach this share; 1 or more: all
  float min_p = 0.0f;        // keep tokens at least this share as likely as the most likely; 0: all
};

// A seeded sequence of draws: the n-th draw depends on key and n alone.
struct Sampler {
  Sampling sampling;
  Key seed;
  std::size_t draws = 0;
};

}  // namespace krait

#endif
