#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "krait.hpp"

namespace {
const std::vector<float> logits{0.0f, 2.0f, 1.0f, -1.0f, 2.0f, -30.0f};  // 1 and 4 are equal, and largest

std::vector<std::size_t> counts(krait::Sampling sampling, std::size_t draws, std::vector<float> row = logits) {
  krait::Sampler sampler{.sampling = sampling, .seed = krait::key(7)};
  std::vector<std::size_t> found(row.size());
  for (std::size_t i = 0; i < draws; ++i) {
    auto copy = row;
    ++found[krait::sample(copy, sampler)];
  }
  return found;
}
}  // namespace

TEST_CASE("temperature 0 takes the first of the largest") {
  CHECK(counts({.temperature = 0}, 5) == std::vector<std::size_t>{0, 5, 0, 0, 0, 0});
}

TEST_CASE("tokens are drawn as often as their softmax says") {
  const auto found = counts({}, 20000);
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  for (std::size_t i = 0; i < logits.size(); ++i)
    CHECK(static_cast<double>(found[i]) / 20000 == Approx(std::exp(static_cast<double>(logits[i])) / total).margin(0.012));
}

TEST_CASE("a temperature divides the logits") {
  auto halves = logits;
  for (float& logit : halves) logit /= 2;
  CHECK(counts({.temperature = 2}, 500) == counts({}, 500, halves));
}

TEST_CASE("top_k keeps the k most likely, of equals the first") {
  CHECK(counts({.top_k = 1}, 50) == std::vector<std::size_t>{0, 50, 0, 0, 0, 0});
  const auto found = counts({.top_k = 3}, 2000);
  CHECK((found[0] == 0 && found[1] > 0 && found[2] > 0 && found[3] == 0 && found[4] > 0 && found[5] == 0));
}

TEST_CASE("top_p keeps the fewest of the most likely that reach the share") {
  // 1 and 4 have 0.386 each, 2 has 0.142, 0 has 0.052
  CHECK(counts({.top_p = 0.3f}, 50) == std::vector<std::size_t>{0, 50, 0, 0, 0, 0});
  const auto two = counts({.top_p = 0.7f}, 500);
  CHECK((two[1] > 0 && two[4] > 0 && two[1] + two[4] == 500));
  const auto three = counts({.top_p = 0.9f}, 2000);
  CHECK((three[2] > 0 && three[0] == 0 && three[3] == 0));
  CHECK(counts({.top_p = 0}, 20) == std::vector<std::size_t>{0, 20, 0, 0, 0, 0});
}

TEST_CASE("min_p keeps tokens at least that share as likely as the most likely") {
  const auto found = counts({.min_p = 0.2f}, 2000);  // e^-1 = 0.37 stays, e^-2 = 0.135 goes
  CHECK((found[0] == 0 && found[1] > 0 && found[2] > 0 && found[3] == 0 && found[4] > 0));
}

TEST_CASE("NaN and minus infinity are never drawn while another is left") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(counts({}, 50, {nan, -infinity, 1.0f, nan}) == std::vector<std::size_t>{0, 0, 50, 0});
  CHECK(counts({}, 5, {nan, nan}) == std::vector<std::size_t>{5, 0});
  CHECK(counts({}, 5, {-infinity, -infinity}) == std::vector<std::size_t>{5, 0});
  CHECK(counts({}, 5, {0.0f, infinity, 3.0f}) == std::vector<std::size_t>{0, 5, 0});
}

TEST_CASE("the same seed draws the same tokens, another seed others") {
  krait::Sampler a{{}, krait::key(1)}, b{{}, krait::key(1)}, c{{}, krait::key(2)};
  bool same = true, other = false;
  for (int i = 0; i < 100; ++i) {
    auto x = logits, y = logits, z = logits;
    const std::size_t first = krait::sample(x, a);
    same &= first == krait::sample(y, b);
    other |= first != krait::sample(z, c);
  }
  CHECK(same);
  CHECK(other);
}

TEST_CASE("an empty row gives 0") {
  krait::Sampler sampler{};
  CHECK(krait::sample(std::span<float>{}, sampler) == 0);
}
