// Settings and random sequence of krait::sample, which draws a token from logits.
#ifndef KRAIT_CORE_SAMPLING_HPP
#define KRAIT_CORE_SAMPLING_HPP

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

#include "krait/core/check.hpp"
#include "krait/core/random.hpp"
#include "krait/core/rows.hpp"

namespace krait {

// Draws by temperature. The n-th draw uses the 32 random bits krait::random_bits(seed, n), and nothing else. Tokens less than
// 2^-32 times as likely as the most likely one are never drawn.
struct Sampler {
  float temperature = 1.0f;  // divides the logits; 0 or less, or NaN: greedy, draws the first of the largest logits
  Key seed{};
  std::size_t draws = 0;  // the next draw's number
};

// Draws as a Sampler does, from the tokens that the filters keep. Contains the memory that the filters need, one float for each
// token of the vocabulary. Filters apply in this order, each to the tokens kept by the previous one. The most likely token is always
// kept. Of equally likely tokens, the first are kept.
template <std::size_t vocab_size>
struct FilteredSampler {
  float temperature = 1.0f;
  std::size_t top_k = 0;  // keeps the k most likely tokens; 0: all
  float top_p = 1.0f;     // keeps the fewest of the most likely tokens that together reach this share; 1 or more: all
  float min_p = 0.0f;     // keeps tokens at least this many times as likely as the most likely one; 0: all
  Key seed{};
  std::size_t draws = 0;
  // After a draw: the weights from which the token was drawn, the most likely token's 1, the others' multiples of 2^-31. A token
  // of weight 0 cannot be drawn.
  std::array<float, vocab_size> weights{};
};

}  // namespace krait

namespace krait::check {
template <class T>
inline constexpr std::size_t filtered_vocab_size = 0;
template <std::size_t vocab_size>
inline constexpr std::size_t filtered_vocab_size<FilteredSampler<vocab_size>> = vocab_size;

// The one message for arguments that sample() does not take.
template <class Logits, class AnySampler>
consteval bool check_sample() {
  using Plain = std::remove_cvref_t<AnySampler>;
  constexpr std::size_t vocab_size = filtered_vocab_size<Plain>, found = detail::extent<Logits>;
  constexpr bool are_floats = std::is_convertible_v<const Logits&, std::span<const float>>;
  constexpr bool is_sampler = std::is_same_v<Plain, Sampler> || vocab_size > 0;
  constexpr bool is_variable = std::is_lvalue_reference_v<AnySampler> && !std::is_const_v<std::remove_reference_t<AnySampler>>;
  if constexpr (!are_floats) {
    static_assert(are_floats, "krait::sample(logits, sampler): logits must be floats side by side, such as the output of step");
    return false;
  } else if constexpr (!is_sampler) {
    static_assert(is_sampler, "krait::sample(logits, sampler): sampler must be a krait::Sampler or a krait::FilteredSampler<vocab_size>");
    return false;
  } else if constexpr (!is_variable) {
    static_assert(is_variable, "krait::sample(logits, sampler): sampler must be a variable that is not const: a draw advances it");
    return false;
  } else if constexpr (vocab_size > 0 && found == 0) {
    static_assert(found > 0, "krait::sample(logits, sampler): a FilteredSampler<vocab_size> takes logits of a length known at compile time: pass std::span<const float, vocab_size>(logits)");
    return false;
  } else if constexpr (vocab_size > 0) {
    static_assert(got<found>::template wants<vocab_size>, "krait::sample(logits, sampler): a FilteredSampler<vocab_size> takes vocab_size logits");
    return found == vocab_size;
  }
  return true;
}
}  // namespace krait::check

#endif
