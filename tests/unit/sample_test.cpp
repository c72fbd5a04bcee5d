#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "krait.hpp"

namespace {
const std::vector<float> logits{0.0f, 2.0f, 1.0f, -1.0f, 2.0f, -30.0f};  // tokens 1 and 4 have the largest logit

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

TEST_CASE("sample with temperature 0 returns the token with the largest logit, the first of several") {
  CHECK(counts({.temperature = 0}, 5) == std::vector<std::size_t>{0, 5, 0, 0, 0, 0});
}

TEST_CASE("sample draws tokens with the frequencies of the softmax") {
  const auto found = counts({}, 20000);
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  for (std::size_t i = 0; i < logits.size(); ++i)
    CHECK(static_cast<double>(found[i]) / 20000 == Approx(std::exp(static_cast<double>(logits[i])) / total).margin(0.012));
}

TEST_CASE("sampling with temperature 2 draws the same tokens as halving the logits") {
  auto halves = logits;
  for (float& logit : halves) logit /= 2;
  CHECK(counts({.temperature = 2}, 500) == counts({}, 500, halves));
}

TEST_CASE("top_k keeps the k most likely tokens, and of equally likely tokens the first ones") {
  CHECK(counts({.top_k = 1}, 50) == std::vector<std::size_t>{0, 50, 0, 0, 0, 0});
  const auto found = counts({.top_k = 3}, 2000);
  CHECK((found[0] == 0 && found[1] > 0 && found[2] > 0 && found[3] == 0 && found[4] > 0 && found[5] == 0));
}

TEST_CASE("top_p keeps the smallest set of most likely tokens whose probabilities sum to at least top_p") {
  // The probabilities of tokens 1 and 4 are 0.386, that of token 2 is 0.142, and that of token 0 is 0.052.
  CHECK(counts({.top_p = 0.3f}, 50) == std::vector<std::size_t>{0, 50, 0, 0, 0, 0});
  const auto two = counts({.top_p = 0.7f}, 500);
  CHECK((two[1] > 0 && two[4] > 0 && two[1] + two[4] == 500));
  const auto three = counts({.top_p = 0.9f}, 2000);
  CHECK((three[2] > 0 && three[0] == 0 && three[3] == 0));
  CHECK(counts({.top_p = 0}, 20) == std::vector<std::size_t>{0, 20, 0, 0, 0, 0});
}

TEST_CASE("min_p keeps tokens with at least min_p times the probability of the most likely token") {
  const auto found = counts({.min_p = 0.2f}, 2000);  // e^-1 = 0.37 is kept, e^-2 = 0.135 is dropped
  CHECK((found[0] == 0 && found[1] > 0 && found[2] > 0 && found[3] == 0 && found[4] > 0));
}

TEST_CASE("sample never draws a token whose logit is NaN or -infinity if any other token is left") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(counts({}, 50, {nan, -infinity, 1.0f, nan}) == std::vector<std::size_t>{0, 0, 50, 0});
  CHECK(counts({}, 5, {nan, nan}) == std::vector<std::size_t>{5, 0});
  CHECK(counts({}, 5, {-infinity, -infinity}) == std::vector<std::size_t>{5, 0});
  CHECK(counts({}, 5, {0.0f, infinity, 3.0f}) == std::vector<std::size_t>{0, 5, 0});
}

TEST_CASE("samplers with equal seeds draw the same tokens, and samplers with different seeds do not") {
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

TEST_CASE("sample returns 0 for empty logits") {
  krait::Sampler sampler{};
  CHECK(krait::sample(std::span<float>{}, sampler) == 0);
}
