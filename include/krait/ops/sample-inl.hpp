// Drawing a token from a row of logits, in place and without a heap.
#if defined(KRAIT_OPS_SAMPLE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_SAMPLE_INL_HPP
#undef KRAIT_OPS_SAMPLE_INL_HPP
#else
#define KRAIT_OPS_SAMPLE_INL_HPP
#endif

#include <bit>
#include <span>

#include "krait/core/sampling.hpp"
#include "krait/kernels/activation-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {
namespace detail {

// The first of the largest; NaN counts as smaller than everything.
HWY_INLINE std::size_t largest(std::span<const float> row) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < row.size(); ++i)
    if (row[i] > row[best] || (row[best] != row[best] && row[i] == row[i])) best = i;
  return best;
}

// The largest weight x, 0 <= x <= 1, for which enough(x) holds; enough(0) must, and must not come back once lost.
// Bisects the bits of the float, whose order is that of the numbers: no sorting, no copy.
template <class Enough>
HWY_INLINE float largest_cut(Enough enough) {
  std::uint32_t below = 0, above = std::bit_cast<std::uint32_t>(1.0f) + 1;
  while (above - below > 1) {
    const std::uint32_t middle = below + (above - below) / 2;
    (enough(std::bit_cast<float>(middle)) ? below : above) = middle;
  }
  return std::bit_cast<float>(below);
}

// Keeps weights above the cut, and of those equal to it the first ones while wanted(kept so far) says so.
template <class Measure>
HWY_INLINE void cut_below(std::span<float> weights, float cut, float wanted, Measure measure) {
  float kept = 0.0f;
  for (const float w : weights)
    if (w > cut) kept += measure(w);
  for (float& w : weights) {
    if (w > cut) continue;
    if (w == cut && kept < wanted) kept += measure(w);
    else w = 0.0f;
  }
}

// Keeps the fewest of the largest weights whose measures add up to `wanted`: 1 each for top_k, the weight for top_p.
template <class Measure>
HWY_INLINE void keep_largest(std::span<float> weights, float wanted, Measure measure) {
  const float cut = largest_cut([&](float x) {
    float sum = 0.0f;
    for (const float w : weights) sum += w >= x ? measure(w) : 0.0f;
    return sum >= wanted;
  });
  cut_below(weights, cut, wanted, measure);
}

HWY_INLINE float total(std::span<const float> weights) {
  float sum = 0.0f;
  for (const float w : weights) sum += w;
  return sum;
}

}  // namespace detail

// sample(logits, sampler): the index of the token drawn. `logits`, a row of floats, is used up: it becomes the weights
// that were drawn from (0: filtered out). Logits of -infinity or NaN are never drawn while another is left; with none
// left, and on an empty row, the answer is 0. The same draw on every target with FMA. Allocates nothing.
inline std::size_t sample(std::span<float> logits, Sampler& sampler) noexcept {
  const Sampling& how = sampler.sampling;
  const std::uint64_t draw = sampler.draws++;
  if (logits.empty()) return 0;
  const std::size_t best = detail::largest(logits);
  const float most = logits[best];
  if (!(how.temperature > 0.0f) || !(most - most == 0.0f)) return best;  // greedy; or an infinity, or nothing but NaN

  const V largest = hn::Set(Tag{}, most);
  const V sharpness = hn::Set(Tag{}, 1.0f / how.temperature);
  for_each_vector(logits.size(), [&](std::size_t i, auto load, auto store) KRAIT_LAMBDA {
    const V x = load(&logits[i]);
    const V weight = exp_negative(hn::Mul(hn::Sub(x, largest), sharpness));
    store(hn::IfThenElse(hn::Eq(x, x), weight, hn::Zero(Tag{})), &logits[i]);
  });
  if (how.top_k > 0 && how.top_k < logits.size())
    detail::keep_largest(logits, static_cast<float>(how.top_k), [](float w) { return w > 0.0f ? 1.0f : 0.0f; });
  if (how.top_p < 1.0f)
    detail::keep_largest(logits, how.top_p * detail::total(logits), [](float w) { return w; });
  for (float& w : logits)
    if (w < how.min_p) w = 0.0f;
  logits[best] = 1.0f;  // whatever the filters ask for, the most likely token stays

  float left = uniform(sampler.seed, draw) * detail::total(logits);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (left < logits[i]) return i;
    left -= logits[i];
  }
  return best;  // rounding has used up the row
}

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
