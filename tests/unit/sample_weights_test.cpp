// Compares krait::sample with the softmax in float64: which tokens it can draw, with which weights, and for which random words.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "krait.hpp"

namespace {

using Row = std::vector<float>;
constexpr float infinity = std::numeric_limits<float>::infinity(), not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float most_negative = std::numeric_limits<float>::lowest();

// The settings of a FilteredSampler, for logits of any length.
struct Sampling {
  float temperature = 1.0f;
  std::size_t top_k = 0;
  float top_p = 1.0f, min_p = 0.0f;
};

// Draws a token and replaces the logits in `row` with the weights. Without filters, a Sampler, which stores no weights, must
// draw the same token.
std::size_t draw(Row& row, const Sampling& how, krait::Key seed, std::size_t number = 0) {
  krait::Sampler sampler{.temperature = how.temperature, .seed = seed, .draws = number};
  const std::size_t plain = krait::sample(row, sampler);
  const std::size_t token = krait::HWY_NAMESPACE::detail::draw_filtered(
      row, {how.temperature, how.top_k, how.top_p, how.min_p}, krait::random_bits(seed, number));
  const bool has_filters = how.top_k > 0 || how.top_p < 1 || how.min_p > 0;
  if (!has_filters && plain != token) FAIL_CHECK("a Sampler draws " << plain << ", a FilteredSampler " << token);
  return token;
}

std::string text(const Sampling& how) {
  return "temperature " + std::to_string(std::log2(how.temperature)) + " (log2), top_k " + std::to_string(how.top_k) +
         ", top_p " + std::to_string(how.top_p) + ", min_p " + std::to_string(how.min_p);
}

// Returns the n-th 32-bit random word of a fixed key.
std::uint32_t random_word(std::uint64_t n) { return krait::random_bits(krait::key(99), n); }

// Returns each token's probability divided by the largest probability. Logits of -infinity and NaN have probability 0.
std::vector<double> relative_probabilities(const Row& logits, float temperature) {
  double most = -std::numeric_limits<double>::infinity();
  for (const float x : logits)
    if (!std::isnan(x)) most = std::max(most, double{x});
  std::vector<double> p(logits.size());
  for (std::size_t i = 0; i < p.size(); ++i)
    if (std::isfinite(logits[i])) p[i] = std::exp((logits[i] - most) / double{temperature});
  return p;
}

double sum(const std::vector<double>& p) { return std::accumulate(p.begin(), p.end(), 0.0); }

// The result of the filters (top_k, top_p, min_p), computed in float64 by sorting. `close` is true if a probability is so near
// to the limit of a filter that float32 arithmetic may keep other tokens.
struct Kept {
  std::vector<double> p;  // 0 if a filter drops the token
  bool close = false;
};
Kept filter(const Row& logits, const Sampling& how) {
  Kept kept{relative_probabilities(logits, how.temperature)};
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (std::isfinite(logits[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (how.top_k > 0 && how.top_k < order.size()) order.resize(how.top_k);
  if (how.top_p < 1) {
    double total = 0, reached = 0;
    for (const std::size_t i : order) total += kept.p[i];
    std::size_t n = 0;
    while (n < order.size() && (n == 0 || reached < how.top_p * total)) {
      reached += kept.p[order[n++]];
      kept.close |= std::abs(reached - how.top_p * total) < 1e-5 * total;
    }
    // In float32, different logits may have equal weights if these are nearly equal in float64.
    const std::size_t last = order[n - 1];
    for (const std::size_t i : order)
      kept.close |= n < order.size() && logits[i] != logits[last] && std::abs(kept.p[i] - kept.p[last]) < 1e-5 * kept.p[last];
    order.resize(n);
  }
  std::vector<double> p(logits.size());
  for (const std::size_t i : order) {
    kept.close |= how.min_p > 0 && std::abs(kept.p[i] - how.min_p) < 1e-5 * how.min_p;
    if (kept.p[i] >= how.min_p || i == order[0]) p[i] = kept.p[i];
  }
  kept.p = p;
  return kept;
}

Row logits_of(std::size_t size, float spread, std::uint64_t seed) {
  Row row(size);
  for (std::size_t i = 0; i < size; ++i) row[i] = spread * krait::normal(krait::key(seed), i);
  return row;
}

// Overwrites about the share `share` of the logits with `with`, but leaves at least one logit unchanged.
void mask(Row& row, float with, double share, std::uint64_t seed) {
  const std::size_t stays = random_word(seed) % row.size();
  for (std::size_t i = 0; i < row.size(); ++i)
    if (i != stays && krait::uniform(krait::key(seed), i) < share) row[i] = with;
}

constexpr Sampling filters[] = {
    {}, {.top_k = 1}, {.top_k = 3}, {.top_k = 40}, {.top_p = 0}, {.top_p = 0.3f}, {.top_p = 0.9f}, {.top_p = 0.999f},
    {.min_p = 0.05f}, {.min_p = 1}, {.min_p = 2}, {.top_k = 5, .top_p = 0.8f, .min_p = 0.1f}, {.top_p = 1e-30f}};
constexpr float temperatures[] = {1, 0.7f, 2, 1e-45f, 1e-39f, 1e-6f, 100, 1e30f, 1e38f, std::numeric_limits<float>::max()};
constexpr float masks[] = {-infinity, not_a_number, -1e9f, most_negative};

// The numbers of the draws for which the random word of key 0 is 0 (word_of_zeros) or 2^32 - 1 (word_of_ones).
constexpr std::size_t word_of_zeros = 981642904, word_of_ones = 1995598000;

}  // namespace

TEST_CASE("the random words at the two counters that the sampling tests use are 0 and 2^32 - 1") {
  CHECK(krait::random_bits(krait::key(0), word_of_zeros) == 0);
  CHECK(krait::random_bits(krait::key(0), word_of_ones) == 0xFFFFFFFFu);
}

TEST_CASE("sample never draws a token of probability below 2^-126, even with the smallest or the largest random number") {
  for (const std::size_t size : {1u, 2u, 3u, 7u, 8u, 31u, 4096u, 50280u})
    for (const float masked : masks)
      for (const float temperature : {1.0f, 1e-39f, 0.7f})
        for (const bool equal : {true, false}) {
          if (size > 31 && (temperature != 1 || !equal)) continue;  // large vocabularies take long, so they are tested less
          Row row = logits_of(size, equal ? 0.0f : 5.0f, size);
          mask(row, masked, 0.9, size + 1);
          row.front() = row.back() = masked;
          row[size / 2] = 1;
          const std::vector<double> p = relative_probabilities(row, temperature);
          for (const std::size_t number : {word_of_zeros, word_of_ones}) {
            Row copy = row;
            const std::size_t token = draw(copy, {.temperature = temperature}, krait::key(0), number);
            CAPTURE(size, masked, temperature, equal, number, token);
            REQUIRE(token < size);
            CHECK(p[token] / sum(p) >= 0x1p-126);
          }
        }
}

TEST_CASE("a million draws with masked logits never give a token that a filter drops or whose probability is below 2^-126") {
  std::size_t draws = 0;
  for (std::uint64_t seed = 0; draws < 1'000'000; ++seed) {
    const std::size_t size = seed % 997 == 500 ? 4096 : 1 + random_word(4 * seed) % (seed % 50 == 7 ? 100 : 6);
    Sampling how = filters[seed / 4 % std::size(filters)];
    how.temperature = temperatures[random_word(4 * seed + 1) % std::size(temperatures)];
    Row row = logits_of(size, seed % 3 == 0 ? 0.0f : how.temperature < 1e-37f && seed % 3 == 1 ? 1e-38f : 5.0f, seed);
    mask(row, masks[seed % 4], 0.2 * static_cast<double>(seed % 5), seed + 1);
    const std::vector<double> p = relative_probabilities(row, how.temperature);
    const double least = 0x1p-126 * sum(p);
    const Kept kept = filter(row, how);
    const std::size_t repeats = 4000 / size + 1;
    Row copy = row;
    std::vector<std::size_t> found(size);
    for (std::size_t i = 0; i < repeats; ++i) {
      copy = row;
      ++found.at(draw(copy, how, krait::key(seed), i));
    }
    draws += repeats;
    CAPTURE(seed, size, text(how));
    for (std::size_t i = 0; i < size; ++i)
      if (found[i] > 0 && !(p[i] >= least && copy[i] > 0 && (kept.close || kept.p[i] > 0))) {
        CAPTURE(i, row[i], p[i], copy[i], kept.p[i]);
        FAIL_CHECK("must not be drawn");
      }
  }
}

TEST_CASE("sample overwrites the logits with weights that match the float64 softmax, rounded to multiples of 2^-31") {
  std::size_t compared = 0;
  for (const std::size_t size : {1u, 2u, 3u, 8u, 17u, 40u, 101u})
    for (Sampling how : filters)
      for (const float temperature : temperatures)
        for (const bool ties : {false, true}) {
          how.temperature = temperature;
          // The logits' spread is proportional to the temperature. Otherwise all weights would be equal, or all but one zero.
          const float spread = temperature < 1e-37f ? 3e-39f : temperature > 1e30f ? 1e37f : 3 * std::min(temperature, 1e36f);
          Row row = logits_of(size, spread, size + 7);
          if (ties)  // rounds to a few values, so that each value occurs many times
            for (float& x : row) x = spread * std::round(x / spread);
          if (size > 3) row[1] = -infinity, row[2] = not_a_number;
          const Kept kept = filter(row, how);
          if (kept.close) continue;
          Row weights = row;
          draw(weights, how, krait::key(0));
          for (std::size_t i = 0; i < size; ++i) {
            const double units = double{weights[i]} * 0x1p31, wanted = kept.p[i] * 0x1p31;
            // The tolerance: 0.5 for rounding, and 1e-5 of the weight for float32 arithmetic without FMA.
            const bool right = units == std::floor(units) && std::abs(units - wanted) <= 0.5 + 1e-5 * wanted;
            ++compared;
            if (right) continue;
            CAPTURE(size, text(how), ties, i, row[i], units, wanted);
            CHECK(right);
          }
        }
  CHECK(compared > 20'000);
}

TEST_CASE("top_k and top_p keep the first of several tokens with equal logits") {
  const auto kept = [](Sampling how, Row row) {
    draw(row, how, krait::key(0));
    std::string kept;
    for (const float w : row) kept += w > 0 ? 'x' : '.';
    return kept;
  };
  CHECK(kept({.top_k = 2}, {0, 1, 0, 1, 1}) == ".x.x.");
  CHECK(kept({.top_k = 4}, {0, 1, 0, 1, 1}) == "xx.xx");
  CHECK(kept({.top_k = 2}, {-0.0f, 0.0f, -0.0f}) == "xx.");
  CHECK(kept({.top_k = 3}, {not_a_number, -infinity, 1, not_a_number, 0}) == "..x.x");
  CHECK(kept({.top_p = 0.5f}, {2, 2, 2, 2}) == "xx..");
  CHECK(kept({.top_p = 0.75f}, {2, 2, 2, 2}) == "xxx.");
  CHECK(kept({.top_p = 0.7500001f}, {2, 2, 2, 2}) == "xxxx");
  CHECK(kept({.top_k = 4, .top_p = 0.5f}, {2, not_a_number, 2, 2, 2, 2}) == "x.x...");  // top_p keeps half of top_k's 4 tokens
  CHECK(kept({.min_p = 1}, {2, 2, 1, 2}) == "xx.x");
  // Different logits whose weights are equal in float32: the larger logits are kept.
  CHECK(kept({.top_k = 1}, {0, 1e-9f}) == ".x");
  CHECK(kept({.top_k = 2}, {1, 1 + 1e-6f, 1 + 2e-6f, 0, 1 + 1e-6f}) == ".xx..");
  CHECK(kept({.top_p = 0}, {0, 1e-9f}) == ".x");
  CHECK(kept({.temperature = 1e6f, .top_k = 2}, {0, 1e-3f, 2e-3f, 3e-3f}) == "..xx");
}

TEST_CASE("sample returns the token at which the cumulative softmax reaches the random word / 2^32") {
  struct Case {
    const char* name;
    Row row;
    std::size_t draws;
  };
  // One token of weight 1, with 50,000 tokens of weight 1e-8 after it or before it.
  Row tail_behind(50'001, static_cast<float>(std::log(1e-8))), tail_before = tail_behind;
  tail_behind.front() = tail_before.back() = 0;
  Row masked = logits_of(4096, 2, 3);
  mask(masked, -infinity, 0.5, 4);
  const Case cases[] = {{"tail behind", tail_behind, 4}, {"tail before", tail_before, 4}, {"masked", masked, 60},
                        {"equal", Row(1000), 100}, {"peaked", logits_of(100, 10, 5), 500}};
  for (const auto& [name, row, draws] : cases) {
    const std::vector<double> p = relative_probabilities(row, 1);
    const double total = sum(p);
    // Half of the random words are from the whole range, and half from its ends, which draw from the tail (total weight
    // 0.0005).
    std::vector<std::size_t> counters;
    for (std::size_t n = 0; counters.size() < draws; ++n) {
      const double u = random_word(n) * 0x1p-32;
      if (counters.size() % 2 == 0 || u < 4e-4 || u > 1 - 4e-4) counters.push_back(n);
    }
    for (const std::size_t n : counters) {
      Row copy = row;
      const std::size_t token = draw(copy, {}, krait::key(99), n);
      const double u = random_word(n) * 0x1p-32;
      const double below = std::accumulate(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(token), 0.0) / total;
      CAPTURE(name, n, token, u, below, p[token] / total);
      const double tolerance = 2e-6 + static_cast<double>(row.size()) * 0x1p-32;  // rounding of logits and of weights
      CHECK(p[token] > 0);
      CHECK(u >= below - tolerance);
      CHECK(u <= below + p[token] / total + tolerance);
    }
  }
}

TEST_CASE("the frequencies of drawn tokens pass a chi-square test against the softmax at significance 1e-6") {
  Row tail(120, -9);
  tail[60] = 0;
  Row masked{1, -infinity, 0, not_a_number, 0.5f, -1e9f, 0, most_negative};
  struct Case {
    const char* name;
    Row row;
    float temperature;
  };
  const Case cases[] = {{"peaked", {0, -1, -2, -3, -4, -5, -6, -20}, 1}, {"flat", Row(16), 1}, {"tail", tail, 1},
                        {"masked", masked, 1}, {"temperature", {3, 1, -4, 1, 5}, 2.5f}};
  for (const auto& [name, row, temperature] : cases) {
    const std::size_t draws = 20'000;
    std::vector<std::size_t> found(row.size());
    Row copy;
    for (std::size_t i = 0; i < draws; ++i) {
      copy = row;
      ++found[draw(copy, {.temperature = temperature}, krait::key(11), i)];
    }
    const std::vector<double> p = relative_probabilities(row, temperature);
    double chi_square = 0, rest_expected = 0, rest_found = 0;
    int bins = 0;
    const auto add = [&](double expected, double seen) {
      chi_square += (seen - expected) * (seen - expected) / expected;
      ++bins;
    };
    for (std::size_t i = 0; i < row.size(); ++i) {  // neighbouring tokens share a bin until it expects 40 draws
      rest_expected += static_cast<double>(draws) * p[i] / sum(p);
      rest_found += static_cast<double>(found[i]);
      if (rest_expected < 40 && i + 1 < row.size()) continue;
      if (rest_expected > 1) add(rest_expected, rest_found);
      rest_expected = rest_found = 0;
    }
    // The limit is Wilson and Hilferty's approximation of the chi-square quantile for 1e-6, and 4.753 is the quantile of the
    // normal distribution.
    const double freedom = bins - 1, spread = 2 / (9 * freedom);
    const double critical = freedom * std::pow(1 - spread + 4.753 * std::sqrt(spread), 3);
    CAPTURE(name, bins, chi_square, critical);
    CHECK(bins > 2);
    CHECK(chi_square < critical);
  }
}

TEST_CASE("if every logit is NaN or -infinity, sample returns 0 and sets all weights to 0, with every filter and temperature") {
  for (const Row& row : {Row{not_a_number, -infinity}, Row{-infinity, not_a_number}, Row{not_a_number, not_a_number, -infinity, -infinity}, Row{not_a_number},
                         Row{-infinity}, Row{-infinity, not_a_number, -infinity}, Row(19, not_a_number), Row(4096, -infinity)})
    for (const float temperature : {1.0f, 0.0f, -1.0f, 1e-39f, 1e38f, infinity, not_a_number})
      for (Sampling how : filters) {
        how.temperature = temperature;
        Row copy = row;
        CHECK(draw(copy, how, krait::key(0), word_of_ones) == 0);
        CHECK(copy == Row(row.size()));
      }
}

TEST_CASE("if any logit is +infinity, sample returns the first such token") {
  for (const float temperature : {1.0f, 0.0f, 1e-39f, infinity})
    for (Sampling how : filters) {
      how.temperature = temperature;
      Row row{not_a_number, 1, infinity, -infinity, infinity, 3};
      CHECK(draw(row, how, krait::key(0), word_of_ones) == 2);
      CHECK(row == Row{0, 0, 1, 0, 0, 0});
    }
}

TEST_CASE("with temperature 0, below 0 or NaN, sample sets the weight of the first largest logit to 1, and all others to 0") {
  for (const float temperature : {0.0f, -0.0f, -1.0f, -infinity, not_a_number}) {
    Row row{not_a_number, -1, 2, -infinity, 2, -3};
    CHECK(draw(row, {.temperature = temperature}, krait::key(0), word_of_ones) == 2);
    CHECK(row == Row{0, 0, 1, 0, 0, 0});
  }
}

TEST_CASE("with an infinite temperature, all tokens with finite logits have equal weights") {
  Row row{3, -infinity, most_negative, not_a_number, std::numeric_limits<float>::max()};
  draw(row, {.temperature = infinity}, krait::key(0));
  CHECK(row == Row{1, 0, 1, 0, 1});
}
