// Shows that a model is a type: its sizes are compile-time constants, which static_assert compares with a budget.
#include <algorithm>
#include <array>
#include <cstdio>

#include <krait.hpp>
#include <krait/init.hpp>

inline constexpr auto dims = krait::noxton({.vocab_size = 256, .d_model = 128, .n_layers = 4});
using Model = krait::Mamba<dims>;
static_assert(krait::flash_bytes<Model> <= 2 * 1024 * 1024);
static_assert(krait::state_bytes<Model> + krait::scratch_bytes<Model> <= 96 * 1024);

int main() {
  static const Model model = krait::init<Model>(krait::key(0));  // noxton's weights for jax.random.PRNGKey(0)
  const std::array tokens{1, 5, 42, 7, 100};
  const auto logits = krait::forward(model, tokens);  // krait::Tensor<float, 5, 256>
  std::printf("logits: %zu x %zu\n", logits.size(), logits[0].size());
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto best = std::max_element(logits[t].begin(), logits[t].end());
    std::printf("after %3d: token %3td, logit %.2f\n", tokens[t], best - logits[t].begin(), static_cast<double>(*best));
  }
}
