// Defines Penalties and apply_penalties, which lower the logits of tokens that a generated text already contains.
#ifndef KRAIT_CALLS_PENALTIES_HPP
#define KRAIT_CALLS_PENALTIES_HPP

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>

#include "krait/calls/arguments.hpp"
#include "krait/core/platform.hpp"

namespace krait {

// Penalties are the settings of apply_penalties(logits, recent, penalties), which lowers the logits of the tokens in `recent`.
struct Penalties {
  float repetition = 1.0f;  // divides positive logits, multiplies others; 1 has no effect (Keskar et al. 2019, "CTRL", 4.1)
  float frequency = 0.0f;   // is subtracted from a token's logit for each time that the token occurs in `recent`
  float presence = 0.0f;    // is subtracted once from the logit of each token that occurs in `recent`
};

}  // namespace krait

namespace krait::check {
template <class Logits, class Tokens>
consteval bool apply_penalties() {
  constexpr bool are_writable_floats = std::is_convertible_v<Logits&, std::span<float>>;
  if constexpr (!are_writable_floats) {
    static_assert(are_writable_floats,
                  "krait::apply_penalties(logits, recent, penalties): logits must be a range of floats that is not const");
    return false;
  } else {
    constexpr bool are_token_ids = TokenIdSequence<const Tokens>;
    static_assert(are_token_ids, "krait::apply_penalties: recent must be an array, vector, span or string of token ids");
    return are_token_ids;
  }
}
}  // namespace krait::check

namespace krait::inline KRAIT_BUILD {

// apply_penalties(logits, recent, penalties) lowers the logits of the tokens in `recent`: the latest tokens of the text, as
// token ids, in any order. Call it before sample(). Ids outside the vocabulary are ignored. The time is proportional to the
// square of the length of `recent`. Allocates nothing, throws nothing.
template <class Logits, class Tokens>
void apply_penalties(Logits& logits, const Tokens& recent, const Penalties& penalties) noexcept {
  if constexpr (check::apply_penalties<Logits, Tokens>()) {
    const std::span<float> row(logits);
    for (std::size_t i = 0; i < std::size(recent); ++i) {
      const auto token = std::data(recent)[i];
      const auto index = detail::unsigned_token(token);
      if (index >= row.size()) continue;
      const std::span before(std::data(recent), i), all(std::data(recent), std::size(recent));
      if (std::find(before.begin(), before.end(), token) != before.end()) continue;
      const auto count = static_cast<float>(std::count(all.begin(), all.end(), token));
      float& logit = row[static_cast<std::size_t>(index)];
      logit = logit > 0.0f ? logit / penalties.repetition : logit * penalties.repetition;
      logit = __builtin_fmaf(-count, penalties.frequency, logit) - penalties.presence;
    }
  }
}

}  // namespace krait::inline KRAIT_BUILD

#endif
