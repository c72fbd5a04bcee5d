#include "krait/core/reflect.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "krait/convert.hpp"
#include "krait/nn/mamba.hpp"

TEST_CASE("for_each_param visits parameters in memory order, with the names of mamba-ssm's checkpoints") {
  static const krait::Mamba<krait::resolve({.vocab_size = 8, .d_model = 4, .n_layers = 12, .tied = false})> model{};
  std::vector<std::string> names;
  krait::for_each_param(model, [&](std::string_view name, const auto&) { names.emplace_back(name); });
  REQUIRE(names.size() == 1 + 12 * 10 + 2);
  CHECK(names[0] == "backbone.embedding.weight");
  CHECK(names[1] == "backbone.layers.0.norm.weight");
  CHECK(names[2] == "backbone.layers.0.mixer.in_proj.weight");
  CHECK(names[4] == "backbone.layers.0.mixer.conv1d.bias");
  CHECK(names[8] == "backbone.layers.0.mixer.A_log");
  CHECK(names[11] == "backbone.layers.1.norm.weight");
  CHECK(names[120] == "backbone.layers.11.mixer.out_proj.weight");
  CHECK(names[121] == "backbone.norm_f.weight");
  CHECK(names[122] == "lm_head.weight");
}

TEST_CASE("values that for_each_param writes with `set` are read back with `get`, for A_log as well") {
  static krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 5})> block{};
  krait::for_each_param(block, [](std::string_view, auto& tensor) {
    for (std::size_t row = 0; row < tensor.rows; ++row)
      for (std::size_t col = 0; col < tensor.cols; ++col) tensor.set(row, col, static_cast<float>(row + 2 * col) * 0.125f);
  });
  CHECK(block.in_proj.weight.get(19, 4) == 27 * 0.125f);
  CHECK(block.conv1d.weight.get(9, 3) == 15 * 0.125f);
  CHECK(block.ssm.A_log.get(3, 2) == Approx(7 * 0.125f));
}

TEST_CASE("convert copies every parameter of every layer, rounded to the new storage type") {
  constexpr auto dims = krait::resolve({.vocab_size = 8, .d_model = 4, .n_layers = 2});
  static krait::Mamba<dims> from{};
  static krait::Mamba<krait::with_storage(dims, krait::Storage::bf16)> to{};
  krait::for_each_param(from, [i = std::size_t{0}](std::string_view, auto& tensor) mutable {
    ++i;
    krait::assign(tensor, [&](std::size_t row, std::size_t col) { return 1.01e-5f * static_cast<float>(1000 * i + 10 * row + col); });
  });
  krait::convert(from, to);
  const auto values = [](const auto& model) {
    std::vector<float> all;
    krait::for_each_param(model, [&](std::string_view, const auto& tensor) {
      for (std::size_t row = 0; row < tensor.rows; ++row)
        for (std::size_t col = 0; col < tensor.cols; ++col) all.push_back(tensor.get(row, col));
    });
    return all;
  };
  const std::vector<float> wanted = values(from), found = values(to);
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(found[i] == Approx(wanted[i]).epsilon(0.004));
  CHECK(to.backbone.embedding.weight.get(7, 3) == krait::from_bf16(krait::to_bf16(from.backbone.embedding.weight.get(7, 3))));
  CHECK(to.backbone.norm_f.weight.get(3) == from.backbone.norm_f.weight.get(3));
}
