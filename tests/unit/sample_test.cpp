#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "krait.hpp"
#include "krait/init.hpp"
#include "krait/session.hpp"

namespace {
const std::vector<float> logits{0.0f, 2.0f, 1.0f, -1.0f, 2.0f, -30.0f};  // tokens 1 and 4 have the largest logit

std::vector<std::size_t> counts(krait::Sampler sampler, std::size_t draws, const std::vector<float>& row = logits) {
  sampler.seed = krait::key(7);
  std::vector<std::size_t> found(row.size());
  for (std::size_t i = 0; i < draws; ++i) ++found[krait::sample(row, sampler)];
  return found;
}
std::vector<std::size_t> counts(krait::FilteredSampler<6> sampler, std::size_t draws) {
  sampler.seed = krait::key(7);
  std::vector<std::size_t> found(6);
  for (std::size_t i = 0; i < draws; ++i) ++found[krait::sample(std::span<const float, 6>(logits), sampler)];
  return found;
}
using Filtered = krait::FilteredSampler<6>;
}  // namespace

TEST_CASE("sample with temperature 0 returns the first of all tokens whose logit is the largest") {
  CHECK(counts(krait::Sampler{.temperature = 0}, 5) == std::vector<std::size_t>{0, 5, 0, 0, 0, 0});
}

TEST_CASE("sample draws tokens with the frequencies of the softmax") {
  const auto found = counts(krait::Sampler{}, 20000);
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  for (std::size_t i = 0; i < logits.size(); ++i)
    CHECK(static_cast<double>(found[i]) / 20000 == Approx(std::exp(static_cast<double>(logits[i])) / total).margin(0.012));
}

TEST_CASE("sampling with temperature 2 draws the same tokens as halving the logits") {
  auto halves = logits;
  for (float& logit : halves) logit /= 2;
  CHECK(counts(krait::Sampler{.temperature = 2}, 500) == counts(krait::Sampler{}, 500, halves));
}

TEST_CASE("top_k keeps the k most likely tokens, and of equally likely tokens the first ones") {
  CHECK(counts(Filtered{.top_k = 1}, 50) == std::vector<std::size_t>{0, 50, 0, 0, 0, 0});
  const auto found = counts(Filtered{.top_k = 3}, 2000);
  CHECK((found[0] == 0 && found[1] > 0 && found[2] > 0 && found[3] == 0 && found[4] > 0 && found[5] == 0));
}

TEST_CASE("top_p keeps the smallest set of most likely tokens whose probabilities sum to at least top_p") {
  // Tokens 1 and 4 have a probability of 0.386 each, token 2 of 0.142, and token 0 of 0.052.
  CHECK(counts(Filtered{.top_p = 0.3f}, 50) == std::vector<std::size_t>{0, 50, 0, 0, 0, 0});
  const auto two = counts(Filtered{.top_p = 0.7f}, 500);
  CHECK((two[1] > 0 && two[4] > 0 && two[1] + two[4] == 500));
  const auto three = counts(Filtered{.top_p = 0.9f}, 2000);
  CHECK((three[2] > 0 && three[0] == 0 && three[3] == 0));
  CHECK(counts(Filtered{.top_p = 0}, 20) == std::vector<std::size_t>{0, 20, 0, 0, 0, 0});
}

TEST_CASE("min_p keeps tokens with at least min_p times the probability of the most likely token") {
  const auto found = counts(Filtered{.min_p = 0.2f}, 2000);  // keeps the weight e^-1 = 0.37, drops e^-2 = 0.135
  CHECK((found[0] == 0 && found[1] > 0 && found[2] > 0 && found[3] == 0 && found[4] > 0));
}

TEST_CASE("sample never draws a token whose logit is NaN or -infinity if any other token is left") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(counts(krait::Sampler{}, 50, {nan, -infinity, 1.0f, nan}) == std::vector<std::size_t>{0, 0, 50, 0});
  CHECK(counts(krait::Sampler{}, 5, {nan, nan}) == std::vector<std::size_t>{5, 0});
  CHECK(counts(krait::Sampler{}, 5, {-infinity, -infinity}) == std::vector<std::size_t>{5, 0});
  CHECK(counts(krait::Sampler{}, 5, {0.0f, infinity, 3.0f}) == std::vector<std::size_t>{0, 5, 0});
}

TEST_CASE("samplers with equal seeds draw the same tokens, and samplers with different seeds do not") {
  krait::Sampler a{.seed = krait::key(1)}, b{.seed = krait::key(1)}, c{.seed = krait::key(2)};
  bool same = true, other = false;
  for (int i = 0; i < 100; ++i) {
    const std::size_t first = krait::sample(logits, a);
    same &= first == krait::sample(logits, b);
    other |= first != krait::sample(logits, c);
  }
  CHECK(same);
  CHECK(other);
}

TEST_CASE("sample returns 0 for empty logits") {
  krait::Sampler sampler{};
  CHECK(krait::sample(std::span<const float>{}, sampler) == 0);
}

TEST_CASE("sample draws the same token from a Tensor, an array, a vector or a span, and does not change the logits") {
  constexpr std::size_t size = 70;
  krait::Tensor<float, size> tensor;
  for (std::size_t i = 0; i < size; ++i) tensor[i] = krait::normal(krait::key(3), i);
  const auto kept = tensor;
  const std::vector<float> vector(tensor.begin(), tensor.end());
  for (std::size_t draw = 0; draw < 50; ++draw) {
    const krait::Sampler fresh{.temperature = 0.8f, .seed = krait::key(4), .draws = draw};
    const auto drawn = [&](const auto& logits) {
      krait::Sampler sampler = fresh;
      const std::size_t token = krait::sample(logits, sampler);
      CHECK(sampler.draws == draw + 1);
      return token;
    };
    const std::size_t token = drawn(tensor);
    CHECK(drawn(kept.values) == token);
    CHECK(drawn(vector) == token);
    CHECK(drawn(std::span<const float>(vector)) == token);
    CHECK(drawn(std::span<float, size>(tensor.values)) == token);

    krait::FilteredSampler<size> filtered{.temperature = 0.8f, .seed = krait::key(4), .draws = draw};
    CHECK(krait::sample(kept, filtered) == token);
    filtered.draws = draw;
    CHECK(krait::sample(std::span<const float, size>(vector), filtered) == token);
  }
  CHECK(tensor == kept);
}

TEST_CASE("sample accepts the result of Session::step") {
  using Model = krait::Mamba<krait::resolve({.vocab_size = 9, .d_model = 4, .n_layers = 1})>;
  static const Model model = krait::init<Model>(krait::key(1));
  krait::Session session{model};
  krait::Sampler sampler{.temperature = 0};
  const std::size_t token = krait::sample(session.step(1), sampler);
  const auto& output = session.output();
  CHECK(token == static_cast<std::size_t>(std::max_element(output.begin(), output.end()) - output.begin()));
}

TEST_CASE("sample draws the recorded tokens for the recorded seeds") {
  std::vector<float> row(50'280);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = 3 * krait::normal(krait::key(5), i);
  const std::span<const float, 50'280> logits(row);
  krait::Sampler plain{.seed = krait::key(1)};
  static krait::FilteredSampler<50'280> filtered{
      .temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .seed = krait::key(1)};
  std::vector<std::size_t> tokens;
  for (int i = 0; i < 6; ++i) tokens.push_back(krait::sample(logits, plain));
  for (int i = 0; i < 6; ++i) tokens.push_back(krait::sample(logits, filtered));
  CHECK(tokens == std::vector<std::size_t>{24008, 25882, 24008, 24008, 47234, 26371, 24008, 24008, 24008, 24008, 47840, 24008});
}
