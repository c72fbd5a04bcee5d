// Defines sample, which draws a token from logits, and log_probability, which returns the logarithm of a token's probability.
#if defined(KRAIT_OPS_SAMPLE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_SAMPLE_INL_HPP
#undef KRAIT_OPS_SAMPLE_INL_HPP
#else
#define KRAIT_OPS_SAMPLE_INL_HPP
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "krait/calls/check_sample.hpp"
#include "krait/core/sampling.hpp"
#include "krait/kernels/activation-inl.hpp"

KRAIT_BEGIN_TARGET
namespace detail {

// rank(x) maps floats to integers so that a larger float has a larger rank. -0 and 0 have the same rank, and NaN has rank 0,
// below the rank of -infinity. Unlike comparisons of floats, comparisons of ranks are not affected by -ffinite-math-only.
inline constexpr std::uint32_t infinity_bits = 0x7F800000u, rank_of_zero = 0x80000000u;
HWY_INLINE std::uint32_t rank(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x), magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > infinity_bits) return 0;
  return bits == magnitude ? rank_of_zero + magnitude : rank_of_zero - magnitude;
}

// Returns the index of the largest float, or of the first one if several floats are equally large. Returns 0 if all floats are
// -infinity or NaN.
HWY_INLINE std::size_t largest(std::span<const float> row) {
  std::size_t best = 0, i = 0;
  float most = __builtin_bit_cast(float, infinity_bits | 0x80000000u);
  const auto search_until = [&](std::size_t end) KRAIT_LAMBDA {
    for (; i < end; ++i)
      if (row[i] > most && rank(row[i]) > rank(most)) best = i, most = row[i];  // the first test rejects most floats
  };
  constexpr std::size_t vectors = 8;
  while (lanes > 1 && row.size() - i >= vectors * lanes) {  // skips eight vectors at a time if they contain no larger float
    auto larger = hn::Gt(load_unaligned(&row[i]), hn::Set(Tag{}, most));
    for (std::size_t j = 1; j < vectors; ++j)
      larger = hn::Or(larger, hn::Gt(load_unaligned(&row[i + j * lanes]), hn::Set(Tag{}, most)));
    if (hn::AllFalse(Tag{}, larger)) i += vectors * lanes;
    else search_until(i + vectors * lanes);
  }
  search_until(row.size());
  return best;
}

// Returns a weight in [0, 1] as an integer in units of 2^-31, rounded to nearest. The constant `one` is the weight 1 in these
// units. A sum of such integers is exact in any order.
inline constexpr std::uint32_t one = 0x80000000u;
HWY_INLINE std::uint32_t whole(float weight) {
  const auto bits = __builtin_bit_cast(std::uint32_t, weight), mantissa = (bits << 8) | one;
  const std::uint32_t shift = 127 - (bits >> 23);
  if (shift == 0) return one;
  return shift > 32 ? 0 : ((mantissa >> (shift - 1)) + 1) >> 1;
}

// Returns total * share / 2^32, rounded down. `share` is a fraction in units of 2^-32.
HWY_INLINE std::uint64_t share_of(std::uint64_t total, std::uint32_t share) {
  return (total >> 32) * share + ((total & 0xFFFFFFFFu) * share >> 32);
}

// Keeps the largest elements of `row`, as few as are needed for their measures to sum to at least `wanted`, and sets all other
// elements to `dropped`. Of equal elements, the first are kept. order(x) maps elements to integers so that a larger element has
// a larger integer, and measure(x) returns the measure of an element. The algorithm is a radix select, which processes order(x)
// in digits of 4 bits, highest digit first, and needs neither a sort nor a copy.
template <class Order, class Measure>
HWY_INLINE void keep_largest(std::span<float> row, std::uint64_t wanted, float dropped, Order order, Measure measure) {
  std::uint32_t cut = 0;
  for (int shift = 28; shift >= 0; shift -= 4) {
    // sums[d] is the sum of measure(x) over the elements x for which the digit of order(x) at `shift` is d, and all higher
    // digits equal those of `cut`.
    std::array<std::uint64_t, 16> sums{};
    for (const float x : row)
      if (const std::uint32_t digit = (order(x) ^ cut) >> shift; digit < 16) sums[digit] += measure(x);
    std::uint32_t digit = 15;
    for (; digit > 0 && sums[digit] < wanted; --digit) wanted -= sums[digit];
    cut |= digit << shift;
    if (sums[digit] == wanted) break;  // all elements with the digits of `cut` so far are kept
  }
  for (float& x : row) {
    const std::uint32_t place = order(x);
    if (place > cut) continue;
    if (place < cut || wanted == 0) x = dropped;
    else wanted -= std::min<std::uint64_t>(wanted, measure(x));
  }
}

// Softmax maps a logit to its weight e^((logit - most) / temperature), where `most` is the largest logit, which must be finite.
// The weight of a logit of -infinity or NaN is 0.
class Softmax {
 public:
  // For a temperature above 2^64, logits, `most` and temperature are multiplied by 2^-64, so that logit - most does not
  // overflow. For one below 2^-64, logit - most and temperature are multiplied by 2^64, so that 1 / temperature does not. The
  // quotient stays the same.
  HWY_INLINE Softmax(float most, float temperature)
      : before_(temperature > 0x1p64f ? 0x1p-64f : 1.0f),
        after_(temperature < 0x1p-64f ? 0x1p64f : 1.0f),
        sharpness_(1.0f / (temperature * before_ * after_)),
        most_(most * before_) {}

  HWY_INLINE V operator()(V logit) const {
    const hn::RebindToSigned<Tag> int_tag;
    const auto magnitude = hn::And(hn::BitCast(int_tag, logit), hn::Set(int_tag, 0x7FFFFFFF));
    const auto is_finite = hn::Lt(magnitude, hn::Set(int_tag, static_cast<std::int32_t>(infinity_bits)));
    const V below = hn::Sub(hn::Mul(logit, hn::Set(Tag{}, before_)), hn::Set(Tag{}, most_));
    const V weight = exp_negative(hn::Mul(hn::Mul(below, hn::Set(Tag{}, after_)), hn::Set(Tag{}, sharpness_)));
    return hn::And(hn::BitCast(Tag{}, hn::VecFromMask(int_tag, is_finite)), weight);
  }

 private:
  float before_, after_, sharpness_, most_;
};

// Writes the softmax weights of `logits` to `weights`, which may be the array `logits` itself.
HWY_INLINE void weigh(std::span<const float> logits, const Softmax& softmax, float* weights) {
  for_each_vector(logits.size(), [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    store(softmax(load(&logits[i])), weights + i);
  });
}

// Returns whole(weight), defined above, for each lane of a vector. The result is exact, because a float of at least 2^23 is an
// integer, and the fraction of a smaller float is exact.
HWY_INLINE auto whole_vector(V weight) {
  const hn::RebindToSigned<Tag> int_tag;
  const V limit = hn::Set(Tag{}, 2147483520.0f);  // the largest float below 2^31, which is 2^31 - 128
  const V scaled = hn::Mul(weight, hn::Set(Tag{}, 0x1p31f));
  const V below = hn::IfThenElse(hn::Lt(scaled, limit), scaled, limit);  // hn::Min needs isnan, which newlib's headers hide
  const auto integer = hn::ConvertTo(int_tag, below);
  const auto round_up = hn::Ge(hn::Sub(below, hn::ConvertTo(Tag{}, integer)), hn::Set(Tag{}, 0.5f));
  const auto plus_one = hn::And(hn::BitCast(int_tag, hn::VecFromMask(Tag{}, round_up)), hn::Set(int_tag, 1));
  const auto plus_rest = hn::And(hn::BitCast(int_tag, hn::VecFromMask(Tag{}, hn::Gt(scaled, limit))), hn::Set(int_tag, 128));
  return hn::Add(integer, hn::Add(plus_one, plus_rest));
}

// Peak describes the most likely token. It is `certain` if no other token can be drawn: if its logit is infinite, if all logits
// are -infinity or NaN (the token is then 0), or if the temperature is not positive.
struct Peak {
  std::size_t token;
  float logit;
  bool none;  // all logits are -infinity or NaN
  bool certain;
};
HWY_INLINE Peak find_peak(std::span<const float> logits, float temperature) {
  const std::size_t best = largest(logits);
  const float most = logits[best], infinity = __builtin_bit_cast(float, infinity_bits);
  const bool none = rank(most) <= rank(-infinity);
  return {best, most, none, none || rank(most) == rank(infinity) || rank(temperature) <= rank_of_zero};
}

// Computes the softmax weights of all tokens, in units of 2^-31, for up to 64 tokens at a time. Calls f(begin, weights) with
// the weights of the tokens from `begin` on, until f returns false.
template <class F>
HWY_INLINE void for_each_weights(std::span<const float> logits, const Peak& peak, float temperature, F f) {
  const Softmax softmax(peak.logit, temperature);
  constexpr std::size_t most = 64;
  alignas(64) std::array<std::uint32_t, most> weights;
  for (std::size_t begin = 0; begin < logits.size(); begin += most) {
    const std::size_t count = std::min(most, logits.size() - begin);
    for_each_vector(count, [&](std::size_t i, auto load, auto) KRAIT_LAMBDA {
      const V weight = softmax(load(&logits[begin + i]));
      if constexpr (lanes == 1) weights[i] = whole(hn::GetLane(weight));
      else hn::Store(hn::BitCast(hn::RebindToUnsigned<Tag>(), whole_vector(weight)), hn::RebindToUnsigned<Tag>(), &weights[i]);
    });
    if (peak.token - begin < count) weights[peak.token - begin] = one;
    if (!f(begin, std::span<const std::uint32_t>(weights.data(), count))) return;
  }
}

// Draws a token with the probability that the softmax of the logits gives it. Computes the weights twice, once for their sum
// and once for the draw, so that they need no memory.
inline std::size_t draw(std::span<const float> logits, float temperature, std::uint32_t bits) {
  if (logits.empty()) return 0;
  const Peak peak = find_peak(logits, temperature);
  if (peak.certain) return peak.token;
  std::uint64_t total = 0;
  for_each_weights(logits, peak, temperature, [&](std::size_t, std::span<const std::uint32_t> weights) KRAIT_LAMBDA {
    for (const std::uint32_t weight : weights) total += weight;
    return true;
  });
  std::uint64_t left = share_of(total, bits);  // a random number below `total`
  std::size_t token = 0;
  for_each_weights(logits, peak, temperature, [&](std::size_t begin, std::span<const std::uint32_t> weights) KRAIT_LAMBDA {
    token = begin;
    for (const std::uint32_t weight : weights) {
      if (left < weight) return false;
      left -= weight;
      ++token;
    }
    return true;
  });
  return token;
}

// The settings of a FilteredSampler, which limit the tokens that can be drawn.
struct Filters {
  float temperature;
  std::size_t top_k;
  float top_p, min_p;
};

// Draws one of the tokens that top_k, top_p and min_p keep. Overwrites `logits` with the weights of these tokens, and with 0
// for all other tokens.
inline std::size_t draw_filtered(std::span<float> logits, const Filters& how, std::uint32_t bits) {
  if (logits.empty()) return 0;
  const Peak peak = find_peak(logits, how.temperature);
  const std::size_t best = peak.token;
  if (peak.certain) {
    for (float& weight : logits) weight = 0.0f;
    if (!peak.none) logits[best] = 1.0f;
    return best;
  }

  if (how.top_k > 0 && how.top_k < logits.size())
    keep_largest(logits, how.top_k, -__builtin_bit_cast(float, infinity_bits), rank, [](float) { return 1u; });
  weigh(logits, Softmax(peak.logit, how.temperature), logits.data());
  // Every filter keeps the most likely token. The code below therefore starts each sum of weights with this token's weight, the
  // constant `one`.
  logits[best] = 0.0f;  // `logits` now holds the weights, and the loops below must not add this one again
  if (how.top_p < 1.0f) {
    std::uint64_t total = one;
    for (const float w : logits) total += whole(w);
    const std::uint32_t share = how.top_p > 0.0f ? static_cast<std::uint32_t>(how.top_p * 0x1p32f) : 0;
    const std::uint64_t wanted = share > 0 ? total - share_of(total, 0 - share) : 0;
    const auto bits_of = [](float w) { return __builtin_bit_cast(std::uint32_t, w); };
    keep_largest(logits, wanted > one ? wanted - one : 0, 0.0f, bits_of, whole);
  }
  std::uint64_t total = one;
  for (float& w : logits) {
    const std::uint32_t q = w < how.min_p ? 0 : whole(w);
    total += q;
    w = static_cast<float>(q) * 0x1p-31f;
  }
  logits[best] = 1.0f;

  std::uint64_t left = share_of(total, bits);  // a random number below `total`
  std::size_t token = 0;
  for (; left >= whole(logits[token]); ++token) left -= whole(logits[token]);
  return token;
}

// Returns a weight in [0, 1] as an integer in units of 2^-40, rounded down. The sum of such integers is exact in any order.
HWY_INLINE std::uint64_t fixed_point(float weight) {
  const auto bits = __builtin_bit_cast(std::uint32_t, weight);
  const std::uint64_t mantissa = (bits & 0x7FFFFFu) | 0x800000u;
  const std::uint32_t exponent = bits >> 23;
  return exponent >= 110 ? mantissa << (exponent - 110) : exponent > 86 ? mantissa >> (110 - exponent) : 0;
}

// Implements krait::log_probability.
inline float log_probability(std::span<const float> logits, std::size_t token) {
  const float never = -__builtin_bit_cast(float, infinity_bits);
  if (token >= logits.size()) return never;
  const Peak peak = find_peak(logits, 1.0f);
  if (peak.certain) return token == peak.token && !peak.none ? 0.0f : never;
  if (rank(logits[token]) <= rank(never)) return never;
  const Softmax softmax(peak.logit, 1.0f);
  std::uint64_t total = 0;
  std::array<float, 64> weights;
  for (std::size_t begin = 0; begin < logits.size(); begin += weights.size()) {
    const auto some = logits.subspan(begin, std::min(weights.size(), logits.size() - begin));
    weigh(some, softmax, weights.data());
    for (std::size_t i = 0; i < some.size(); ++i) total += fixed_point(weights[i]);
  }
  return logits[token] - peak.logit - __builtin_logf(static_cast<float>(total) * 0x1p-40f);
}

}  // namespace detail

// sample(logits, sampler) draws a token, returns its index in `logits` and advances `sampler` by one draw.
//   logits   a contiguous range of floats, such as the output of step; unchanged. For a FilteredSampler<vocab_size>, its length
//            must be known at compile time: a Tensor, an array or a span<const float, vocab_size>
//   sampler  a Sampler or a FilteredSampler<vocab_size>
// Never draws a token whose logit is -infinity or NaN; if every logit is -infinity or NaN, returns 0. If a logit is +infinity,
// draws the first such token. Returns the same token on every target with FMA. Allocates nothing, throws nothing.
template <class Logits, class AnySampler>
std::size_t sample(const Logits& logits, AnySampler&& sampler) noexcept {
  if constexpr (check::check_sample<Logits, AnySampler>()) {
    const std::span<const float> row(logits);
    const std::uint32_t bits = random_bits(sampler.seed, sampler.draws++);
    if constexpr (std::is_same_v<std::remove_cvref_t<AnySampler>, Sampler>) {
      return detail::draw(row, sampler.temperature, bits);
    } else {
      std::memcpy(sampler.weights.data(), row.data(), row.size() * sizeof(float));
      return detail::draw_filtered(sampler.weights, {sampler.temperature, sampler.top_k, sampler.top_p, sampler.min_p}, bits);
    }
  } else {
    return 0;
  }
}

// log_probability(logits, token) returns the natural logarithm of a token's probability, which is the log-softmax of `logits`.
// The absolute error is below 1e-6 times max(1, largest logit - smallest logit). A NaN logit is treated as -infinity. If a
// logit is +infinity, the first such token has probability 1. Returns -infinity for a token outside the vocabulary. To get the
// number of bits to which the model compresses a text, sum the results for all tokens, negate the sum and divide it by ln 2.
// Allocates nothing, throws nothing.
template <class Logits, class Token>
float log_probability(const Logits& logits, Token token) noexcept {
  if constexpr (check::log_probability<Logits, Token>())
    return detail::log_probability(std::span<const float>(logits),
                                   static_cast<std::size_t>(krait::detail::unsigned_token(token)));
  else
    return 0;
}

KRAIT_END_TARGET

#endif
