// Compares the weights that krait::init draws with those that noxton draws for the same key, which are in reference files.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "krait.hpp"
#include "krait/init.hpp"
#include "krait/io/file.hpp"
#include "krait/load.hpp"

namespace {

constexpr auto key0 = krait::noxton({.vocab_size = 256, .d_model = 128, .n_layers = 4});
constexpr auto key7_small = krait::noxton({.vocab_size = 30, .d_model = 20, .n_layers = 2, .d_conv = 3});

// Returns the values of the parameter `name`, row by row.
template <class Model>
std::vector<float> values_of(const Model& model, std::string_view name) {
  std::vector<float> values;
  krait::for_each_param(model, [&](std::string_view key, const auto& tensor) {
    if (key != name) return;
    for (std::size_t row = 0; row < tensor.rows; ++row)
      for (std::size_t col = 0; col < tensor.cols; ++col) values.push_back(tensor.get(row, col));
  });
  return values;
}

template <krait::ModelDims dims, std::size_t length>
void compare(const std::string& file_name, std::uint64_t seed) {
  using Model = krait::Mamba<dims>;
  std::vector<std::byte> bytes;
  krait::safetensors::File file;
  REQUIRE(krait::read_file(KRAIT_REFERENCE "/" + file_name, bytes));
  REQUIRE(krait::safetensors::parse(bytes, file));
  const auto theirs = std::make_unique<Model>();
  const std::string_view others[] = {"tokens", "logits", "noxton_logits"};
  REQUIRE(krait::load(file, *theirs, {.ignore = others}));
  const auto ours = std::make_unique<Model>();
  krait::init(krait::key(seed), *ours);

  krait::for_each_param(*ours, [&](std::string_view name, const auto&) {
    CAPTURE(name);
    const auto drawn = values_of(*ours, name), wanted = values_of(*theirs, name);
    if (name == "backbone.embedding.weight" || name.ends_with("A_log")) {  // noxton computes these with erf_inv or log
      for (std::size_t i = 0; i < wanted.size(); ++i)
        REQUIRE(std::fabs(drawn[i] - wanted[i]) <= 1e-6f * std::fabs(wanted[i]));
    } else {
      CHECK(drawn == wanted);
    }
  });

  std::array<int, length> tokens;
  for (std::size_t t = 0; t < length; ++t)
    tokens[t] = static_cast<int>(krait::safetensors::little_endian(file.find("tokens")->data.subspan(4 * t, 4)));
  const auto logits = krait::forward(*ours, tokens);
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < length * dims.vocab_size; ++i) {
    const double wanted = krait::safetensors::element(*file.find("logits"), i);
    error = std::max(error, std::fabs(logits[i / dims.vocab_size][i % dims.vocab_size] - wanted));
    largest = std::max(largest, std::fabs(wanted));
  }
  CAPTURE(error, largest);
  CHECK(error <= 1e-5 * largest);
}

}  // namespace

TEST_CASE("init with key 0 gives the weights that noxton draws from PRNGKey(0), and the same logits within 1e-5") {
  compare<key0, 5>("noxton_key0.safetensors", 0);
}

TEST_CASE("init with key 7 and odd dims gives the weights that noxton draws from PRNGKey(7), and the same logits within 1e-5") {
  compare<key7_small, 8>("noxton_key7_small.safetensors", 7);
}
