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

TEST_CASE("init_for_training draws the weights of Mamba-2 and Mamba-3 from the same distributions as mamba-ssm") {
  constexpr auto dims2 =
      krait::resolve(krait::Mamba2Dims{.vocab_size = 30, .d_model = 32, .n_layers = 4, .headdim = 2, .in_bias = true});
  constexpr auto dims3 =
      krait::resolve(krait::Mamba3Dims{.vocab_size = 30, .d_model = 32, .n_layers = 4, .headdim = 16, .mimo_rank = 4});
  static const auto model2 = krait::init_for_training<krait::Mamba2<dims2>>(krait::key(1));
  static const auto model3 = krait::init_for_training<krait::Mamba3<dims3>>(krait::key(1));
  const auto& mixer2 = model2.backbone.layers[1].mixer;
  const auto& mixer3 = model3.backbone.layers[1].mixer;
  double least = 100, most = 0;
  const auto check_delta = [](float dt_bias) {
    const double delta = std::log1p(std::exp(static_cast<double>(dt_bias)));
    CHECK(delta >= 0.9999e-3);
    CHECK(delta <= 1.0001e-1);
  };
  for (std::size_t head = 0; head < 32; ++head) {
    const double rate = std::exp(static_cast<double>(mixer2.A_log.get(head, 0)));
    least = std::min(least, rate), most = std::max(most, rate);
    check_delta(mixer2.dt_bias.get(head));
    CHECK(mixer2.D.get(head) == 1.0f);
  }
  CHECK((least >= 0.9999 && least < 3 && most > 14 && most <= 16.0001));  // -A is uniform in [1, 16]
  CHECK(mixer2.norm.weight.get(63) == 1.0f);
  CHECK(mixer2.in_proj.bias.get(0) == 0.0f);
  CHECK(std::fabs(mixer2.out_proj.weight.get(3, 5)) <= 1.0 / std::sqrt(64.0) / 2 + 1e-7);  // divided by sqrt(n_layers)
  for (std::size_t head = 0; head < 4; ++head) check_delta(mixer3.dt_bias.get(head));
  CHECK(mixer3.B_bias.get(15, 127) == 1.0f);
  CHECK(mixer3.C_bias.get(15, 127) == 1.0f);
  CHECK(mixer3.B_norm.weight.get(127) == 1.0f);
  CHECK(mixer3.mimo_x.get(15, 15) == 0.25f);
  CHECK(mixer3.mimo_z.get(15, 15) == 1.0f);
  CHECK(mixer3.mimo_o.get(15, 15) == 0.25f);
  CHECK(mixer3.D.get(3) == 1.0f);
}

TEST_CASE("init gives equal weights for equal keys and different weights for different keys") {
  using Block = krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 8})>;
  static const auto a = krait::init<Block>(krait::key(1)), b = krait::init<Block>(krait::key(1)), c = krait::init<Block>(krait::key(2));
  CHECK(a.in_proj.weight.values == b.in_proj.weight.values);
  CHECK(a.in_proj.weight.values != c.in_proj.weight.values);
}

namespace {
struct Parts {
  KRAIT_PARAMS(Parts,
    (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 32, .bias = true}>, linear_in),
    (std::array<krait::ResidualBlock<krait::resolve(krait::BlockDims{.d_model = 32})>, 3>, layers),
    (krait::Residual<krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 32, .in_bias = true})>>, last),
    (krait::MeanPool<32>, pool),
    (krait::Linear<krait::LinearDims{.d_in = 32, .d_out = 4, .bias = true}>, head));
};
}  // namespace

TEST_CASE("init_for_training draws the weights of a stack's blocks and layers as those of a language model") {
  static krait::Stack<Parts> model;
  krait::init_for_training(krait::key(1), model);
  const auto check_block = [](const auto& mixer) {
    for (std::size_t n = 0; n < 16; ++n) CHECK(mixer.ssm.A_log.get(5, n) == Approx(std::log(n + 1.0)).margin(1e-6));
    double largest = 0.0;
    for (std::size_t c = 0; c < 64; ++c) {
      const double delta = std::log1p(std::exp(static_cast<double>(mixer.ssm.dt_proj.bias.get(c))));
      CHECK((delta >= 0.9999e-3 && delta <= 1.0001e-1));
      largest = std::max(largest, std::fabs(static_cast<double>(mixer.out_proj.weight.get(3, c))));
    }
    CHECK((largest <= 1.0 / std::sqrt(64.0 * 4) + 1e-7 && largest > 0.8 / std::sqrt(64.0 * 4)));  // there are four blocks
  };
  check_block(model.layers[0].mixer);
  check_block(model.layers[2].mixer);
  check_block(model.last);
  CHECK(model.layers[0].mixer.out_proj.weight.get(1, 1) != model.layers[1].mixer.out_proj.weight.get(1, 1));
  CHECK(model.last.in_proj.bias.get(7) == 0.0f);
  CHECK(model.linear_in.bias.get(3) == 0.0f);
  CHECK(model.head.bias.get(3) == 0.0f);
  CHECK(model.linear_in.weight.get(0, 0) != 0.0f);
}
