#include "krait/init.hpp"

#include <catch2/catch.hpp>
#include <cmath>

TEST_CASE("init_for_training draws initial weights from the same distributions as mamba-ssm") {
  constexpr auto dims = krait::resolve({.vocab_size = 64, .d_model = 32, .n_layers = 4});
  static const auto model = krait::init_for_training<krait::Mamba<dims>>(krait::key(1));
  const auto& mixer = model.backbone.layers[2].mixer;
  for (std::size_t n = 0; n < dims.d_state; ++n)
    CHECK(mixer.ssm.A_log.get(5, n) == Approx(std::log(static_cast<double>(n + 1))).margin(1e-6));  // S4D-Real
  double squares = 0;
  for (std::size_t row = 0; row < 64; ++row)
    for (std::size_t col = 0; col < 32; ++col) squares += std::pow(model.backbone.embedding.weight.get(row, col), 2);
  CHECK(std::sqrt(squares / (64 * 32)) == Approx(0.02).epsilon(0.1));
  const krait::Key draws = krait::split(krait::split(krait::split(krait::key(1), 3), 5), 1);
  for (std::size_t c = 0; c < dims.d_inner; ++c) {
    const double delta = std::log1p(std::exp(static_cast<double>(mixer.ssm.dt_proj.bias.get(c))));
    REQUIRE(delta >= 0.9999e-3);
    REQUIRE(delta <= 1.0001e-1);
    const float log_delta = krait::uniform(draws, c, std::log(1e-3f), std::log(1e-1f));
    REQUIRE(delta == Approx(std::exp(static_cast<double>(log_delta))).epsilon(1e-4));
    REQUIRE(std::fabs(mixer.out_proj.weight.get(3, c)) <= 1.0 / std::sqrt(64.0) / 2 + 1e-7);  // divided by sqrt(n_layers)
    REQUIRE(std::fabs(mixer.ssm.dt_proj.weight.get(c, 1)) <= 1.0 / std::sqrt(2.0));
  }
  CHECK(model.backbone.norm_f.weight.get(31) == 1.0f);
}

TEST_CASE("init gives equal weights for equal keys and different weights for different keys") {
  using Block = krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 8})>;
  static const auto a = krait::init<Block>(krait::key(1)), b = krait::init<Block>(krait::key(1)), c = krait::init<Block>(krait::key(2));
  CHECK(a.in_proj.weight.values == b.in_proj.weight.values);
  CHECK(a.in_proj.weight.values != c.in_proj.weight.values);
}
