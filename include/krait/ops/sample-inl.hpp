// Draws a token from logits, in place and without a heap.
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
#include <span>

#include "krait/core/sampling.hpp"
#include "krait/kernels/activation-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {
namespace detail {

// Maps floats to integers of the same order. -0 equals 0, and NaN is 0, below -infinity. Unlike comparisons of floats,
// comparisons of ranks are not changed by -ffinite-math-only.
inline constexpr std::uint32_t infinity_bits = 0x7F800000u, rank_of_zero = 0x80000000u;
HWY_INLINE std::uint32_t rank(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x), magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > infinity_bits) return 0;
  return bits == magnitude ? rank_of_zero + magnitude : rank_of_zero - magnitude;
}

// Returns the index of the first of the largest floats, 0 for nothing but -infinity and NaN.
HWY_INLINE std::size_t largest(std::span<const float> row) {
  std::size_t best = 0;
  float most = __builtin_bit_cast(float, infinity_bits | 0x80000000u);
  for (std::size_t i = 0; i < row.size(); ++i)
    if (row[i] > most && rank(row[i]) > rank(most)) best = i, most = row[i];  // the first comparison only saves time
  return best;
}

// Rounds a weight in [0, 1] to a multiple of 2^-31 and returns the multiple. Integers add up exactly and in any order.
inline constexpr std::uint32_t one = 0x80000000u;
HWY_INLINE std::uint32_t whole(float weight) {
  const auto bits = __builtin_bit_cast(std::uint32_t, weight), mantissa = (bits << 8) | one;
  const std::uint32_t shift = 127 - (bits >> 23);
  if (shift == 0) return one;
  return shift > 32 ? 0 : ((mantissa >> (shift - 1)) + 1) >> 1;
}

// total * share / 2^32, rounded down.
HWY_INLINE std::uint64_t share_of(std::uint64_t total, std::uint32_t share) {
  return (total >> 32) * share + ((total & 0xFFFFFFFFu) * share >> 32);
}

// Keeps the fewest of the largest elements whose measures add up to `wanted`, of equals the first, and sets the others to
// `dropped`. Selects by radix, 4 bits of the order at a time: without a sort and without a copy.
template <class Order, class Measure>
HWY_INLINE void keep_largest(std::span<float> row, std::uint64_t wanted, float dropped, Order order, Measure measure) {
  std::uint32_t cut = 0;
  for (int shift = 28; shift >= 0; shift -= 4) {
    std::array<std::uint64_t, 16> sums{};  // of elements that equal the cut in the digits above, by the next digit
    for (const float x : row)
      if (const std::uint32_t digit = (order(x) ^ cut) >> shift; digit < 16) sums[digit] += measure(x);
    std::uint32_t digit = 15;
    for (; digit > 0 && sums[digit] < wanted; --digit) wanted -= sums[digit];
    cut |= digit << shift;
    if (sums[digit] == wanted) break;  // all that have these digits are kept
  }
  for (float& x : row) {
    const std::uint32_t place = order(x);
    if (place > cut) continue;
    if (place < cut || wanted == 0) x = dropped;
    else wanted -= std::min<std::uint64_t>(wanted, measure(x));
  }
}

// Turns logits into weights: e^((logit - most) / temperature), and 0 for -infinity and NaN. `most` is finite.
HWY_INLINE void weigh(std::span<float> logits, float most, float temperature) {
  // Very large and very small temperatures are scaled, so that neither the difference nor the reciprocal overflows.
  const float before = temperature > 0x1p64f ? 0x1p-64f : 1.0f, after = temperature < 0x1p-64f ? 0x1p64f : 1.0f;
  const float sharpness = 1.0f / (temperature * before * after);
  for_each_vector(logits.size(), [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const hn::RebindToSigned<Tag> int_tag;
    const V x = load(&logits[i]);
    const auto magnitude = hn::And(hn::BitCast(int_tag, x), hn::Set(int_tag, 0x7FFFFFFF));
    const auto is_finite = hn::Lt(magnitude, hn::Set(int_tag, static_cast<std::int32_t>(infinity_bits)));
    const V below = hn::Sub(hn::Mul(x, hn::Set(Tag{}, before)), hn::Set(Tag{}, most * before));
    const V weight = exp_negative(hn::Mul(hn::Mul(below, hn::Set(Tag{}, after)), hn::Set(Tag{}, sharpness)));
    store(hn::And(hn::BitCast(Tag{}, hn::VecFromMask(int_tag, is_finite)), weight), &logits[i]);
  });
}

}  // namespace detail

// Draws a token, returns its index in `logits` and advances `sampler` by one draw.
//   logits   any number of floats; overwritten with the weights that the token was drawn from
// The most likely token's weight is 1; of infinities and in greedy mode, the first of the largest has all the weight. The
// other weights are multiples of 2^-31. 0 means that a token cannot be drawn: a filter removed it, its logit is -infinity or
// NaN, or it is less than 2^-32 times as likely as the most likely one. If no token can be drawn, returns 0.
// Returns the same token on every target with FMA. Allocates nothing, throws nothing.
inline std::size_t sample(std::span<float> logits, Sampler& sampler) noexcept {
  using detail::one, detail::rank, detail::whole;
  const Sampling& how = sampler.sampling;
  const std::uint32_t bits = random_bits(sampler.seed, sampler.draws++);
  if (logits.empty()) return 0;
  const std::size_t best = detail::largest(logits);
  const float most = logits[best], infinity = __builtin_bit_cast(float, detail::infinity_bits);

  const bool none = rank(most) <= rank(-infinity);  // for {NaN, -infinity}, best is 0
  if (none || rank(most) == rank(infinity) || rank(how.temperature) <= detail::rank_of_zero) {
    for (float& weight : logits) weight = 0.0f;
    if (none) return 0;
    logits[best] = 1.0f;
    return best;
  }

  if (how.top_k > 0 && how.top_k < logits.size())
    detail::keep_largest(logits, how.top_k, -infinity, rank, [](float) { return 1u; });
  detail::weigh(logits, most, how.temperature);
  logits[best] = 0.0f;  // the most likely token is added last: it stays, whatever the filters are
  if (how.top_p < 1.0f) {
    std::uint64_t total = one;
    for (const float w : logits) total += whole(w);
    const std::uint32_t share = how.top_p > 0.0f ? static_cast<std::uint32_t>(how.top_p * 0x1p32f) : 0;
    const std::uint64_t wanted = share > 0 ? total - detail::share_of(total, 0 - share) : 0;
    detail::keep_largest(logits, wanted > one ? wanted - one : 0, 0.0f, [](float w) { return __builtin_bit_cast(std::uint32_t, w); },
                         whole);
  }
  std::uint64_t total = one;
  for (float& w : logits) {
    const std::uint32_t q = w < how.min_p ? 0 : whole(w);
    total += q;
    w = static_cast<float>(q) * 0x1p-31f;
  }
  logits[best] = 1.0f;

  std::uint64_t left = detail::share_of(total, bits);  // less than total
  std::size_t token = 0;
  for (; left >= whole(logits[token]); ++token) left -= whole(logits[token]);
  return token;
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
