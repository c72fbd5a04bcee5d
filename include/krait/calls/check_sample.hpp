// Checks the arguments of sample at compile time.
#ifndef KRAIT_CALLS_CHECK_SAMPLE_HPP
#define KRAIT_CALLS_CHECK_SAMPLE_HPP

#include <cstddef>
#include <span>
#include <type_traits>

#include "krait/calls/arguments.hpp"
#include "krait/core/check.hpp"
#include "krait/core/sampling.hpp"

namespace krait::check {
// filtered_vocab_size<T> is vocab_size if T is FilteredSampler<vocab_size>, and 0 for other types.
template <class T>
inline constexpr std::size_t filtered_vocab_size = 0;
template <std::size_t vocab_size>
inline constexpr std::size_t filtered_vocab_size<FilteredSampler<vocab_size>> = vocab_size;

// Checks the arguments of krait::sample. The first invalid argument causes a compile error; the arguments after it are not
// checked.
template <class Logits, class AnySampler>
consteval bool check_sample() {
  using Plain = std::remove_cvref_t<AnySampler>;
  constexpr std::size_t vocab_size = filtered_vocab_size<Plain>, found = detail::length_of<Logits>;
  constexpr bool are_floats = std::is_convertible_v<const Logits&, std::span<const float>>;
  constexpr bool is_sampler = std::is_same_v<Plain, Sampler> || vocab_size > 0;
  constexpr bool is_variable = std::is_lvalue_reference_v<AnySampler> && !std::is_const_v<std::remove_reference_t<AnySampler>>;
  if constexpr (!are_floats) {
    static_assert(are_floats,
                  "krait::sample(logits, sampler): logits must be a contiguous range of floats, such as the output of step");
    return false;
  } else if constexpr (!is_sampler) {
    static_assert(is_sampler,
                  "krait::sample(logits, sampler): sampler must be a krait::Sampler or a krait::FilteredSampler<vocab_size>");
    return false;
  } else if constexpr (!is_variable) {
    static_assert(is_variable,
                  "krait::sample(logits, sampler): sampler must be a variable that is not const, because a draw advances it");
    return false;
  } else if constexpr (vocab_size > 0 && found == 0) {
    static_assert(found > 0,
                  "krait::sample: a FilteredSampler needs logits of fixed length, such as a std::span<float, vocab_size>");
    return false;
  } else if constexpr (vocab_size > 0) {
    static_assert(got<found>::template wants<vocab_size>,
                  "krait::sample(logits, sampler): for a FilteredSampler<vocab_size>, logits must have vocab_size elements");
    return found == vocab_size;
  }
  return true;
}

// Checks the arguments of krait::log_probability.
template <class Logits, class Token>
consteval bool log_probability() {
  constexpr bool are_floats = std::is_convertible_v<const Logits&, std::span<const float>>;
  if constexpr (!are_floats) {
    static_assert(are_floats, "krait::log_probability(logits, token): logits must be a contiguous range of floats");
    return false;
  } else {
    constexpr bool is_token_id = TokenId<Token>;
    static_assert(is_token_id, "krait::log_probability(logits, token): token must be a token id, which is an integer");
    return is_token_id;
  }
}
}  // namespace krait::check

#endif
