// Compares log-probabilities and penalties with float64.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "krait.hpp"

namespace {

using Row = std::vector<float>;
constexpr float infinity = std::numeric_limits<float>::infinity(), not_a_number = std::numeric_limits<float>::quiet_NaN();

double expected_log_probability(const Row& logits, std::size_t token) {
  double most = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const float x : logits)
    if (!std::isnan(x)) most = std::max(most, double{x});
  for (const float x : logits)
    if (!std::isnan(x)) sum += std::exp(x - most);
  return logits[token] - most - std::log(sum);
}

Row logits_of(std::size_t size, float spread) {
  Row row(size);
  for (std::size_t i = 0; i < size; ++i) row[i] = spread * krait::normal(krait::key(size), i);
  return row;
}

}  // namespace

TEST_CASE("log_probability agrees with the log-softmax computed in float64") {
  for (const std::size_t size : {1u, 2u, 7u, 8u, 63u, 64u, 65u, 130u, 1000u, 50'280u})
    for (const float spread : {0.0f, 1e-3f, 1.0f, 5.0f, 30.0f, 1e4f}) {
      const Row logits = logits_of(size, spread);
      for (std::size_t i = 0; i < std::min<std::size_t>(size, 20); ++i) {
        const std::size_t token = size - 1 - i * (size / 20);
        if (token >= size) continue;
        const double expected = expected_log_probability(logits, token);
        CAPTURE(size, spread, token);
        CHECK(std::abs(krait::log_probability(logits, token) - expected) <= 2e-7 * std::abs(expected) + 5e-7);
      }
    }
}

TEST_CASE("log_probability includes the probabilities of many unlikely tokens") {
  Row logits(50'280, -23.0f);  // each has probability 1e-10; together 5e-6
  logits[7] = 0;
  CHECK(krait::log_probability(logits, 7) == Approx(expected_log_probability(logits, 7)).epsilon(0.02));
  CHECK(krait::log_probability(logits, 7) < 0);
}

TEST_CASE("log_probability is -infinity for tokens that sample never draws") {
  const Row logits{1, not_a_number, -infinity, 0};
  CHECK(krait::log_probability(logits, 1) == -infinity);
  CHECK(krait::log_probability(logits, 2) == -infinity);
  CHECK(krait::log_probability(logits, 4) == -infinity);
  CHECK(krait::log_probability(logits, 0) == Approx(-std::log(1 + std::exp(-1.0))));
  CHECK(krait::log_probability(Row{}, 0) == -infinity);
  CHECK(krait::log_probability(Row{not_a_number, -infinity}, 0) == -infinity);
  CHECK(krait::log_probability(Row{0, infinity, infinity}, 1) == 0);
  CHECK(krait::log_probability(Row{0, infinity, infinity}, 2) == -infinity);
  CHECK(krait::log_probability(Row{0, infinity, infinity}, 0) == -infinity);
}

TEST_CASE("apply_penalties agrees with the formulas of the penalties, computed in float64") {
  const Row before = logits_of(40, 3);
  std::vector<std::int64_t> recent{3, 5, 3, 39, 0, -1, 40, 5, 3, 1'000'000'000'000};
  for (const krait::Penalties& penalties :
       {krait::Penalties{}, {.repetition = 1.2f}, {.frequency = 0.7f}, {.presence = 0.4f}, {1.3f, 0.2f, 0.5f},
         {0.9f, -0.2f, -0.5f}}) {
    Row logits = before;
    krait::apply_penalties(logits, recent, penalties);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const auto count = static_cast<double>(std::count(recent.begin(), recent.end(), static_cast<std::int64_t>(i)));
      double expected = before[i];
      if (count > 0) {
        expected = expected > 0 ? expected / double{penalties.repetition} : expected * double{penalties.repetition};
        expected -= count * double{penalties.frequency} + double{penalties.presence};
      }
      CAPTURE(i, count);
      CHECK(logits[i] == Approx(expected).epsilon(1e-6).margin(1e-6));
      if (count == 0) CHECK(logits[i] == before[i]);
    }
  }
}

TEST_CASE("apply_penalties takes the chars of a string as token ids from 0 to 255") {
  std::vector<float> logits(256, 2.0f);
  krait::apply_penalties(logits, std::string("a\xFF"), {.presence = 1});
  for (std::size_t i = 0; i < logits.size(); ++i) CHECK(logits[i] == (i == 'a' || i == 255 ? 1.0f : 2.0f));
}

TEST_CASE("apply_penalties accepts logits and token ids in tensors, arrays, vectors and spans") {
  krait::Tensor<float, 4> tensor{{1, 2, 3, 4}};
  const std::array<unsigned char, 2> bytes{1, 200};
  krait::apply_penalties(tensor, bytes, {.repetition = 2});
  CHECK(tensor == krait::Tensor<float, 4>{{1, 1, 3, 4}});
  std::array<float, 4> array{1, 2, 3, 4};
  const std::span<float> logits(array);
  krait::apply_penalties(logits, std::span<const int>{}, {.presence = 1});
  CHECK(array == std::array<float, 4>{1, 2, 3, 4});
  krait::apply_penalties(logits, std::vector<int>{3}, {.presence = 1});
  CHECK(array == std::array<float, 4>{1, 2, 3, 3});
}
