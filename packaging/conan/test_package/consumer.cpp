// Runs a model with seeded weights, and prints an output.
#include <array>
#include <cstdio>

#include <krait.hpp>
#include <krait/init.hpp>

int main() {
  constexpr auto dims = krait::resolve({.vocab_size = 16, .d_model = 8, .n_layers = 1, .d_state = 4});
  const auto model = krait::init<krait::Mamba<dims>>(krait::key(0));
  std::printf("krait %s: %.4f\n", KRAIT_VERSION_STRING, static_cast<double>(krait::forward(model, std::array{3, 1, 4})[2][15]));
}
