// Defines the language models (krait::Mamba) that the law tests run on, with odd, prime and minimal dims.
#include "make_subject.hpp"

namespace laws {
namespace {
using krait::resolve;

constexpr auto usual = resolve({.vocab_size = 64, .d_model = 32, .n_layers = 2});
constexpr auto seed = krait::noxton({.vocab_size = 30, .d_model = 20, .n_layers = 2, .d_conv = 3});
constexpr auto odd = resolve({.vocab_size = 51, .d_model = 18, .n_layers = 3, .d_state = 6, .d_conv = 3, .expand = 3, .dt_rank = 5, .tied = false});
constexpr auto prime = resolve({.vocab_size = 37, .d_model = 13, .n_layers = 2, .d_state = 7, .d_conv = 5, .d_inner = 29, .dt_rank = 3,
                                .in_bias = true, .x_bias = true, .out_bias = true, .norm_bias = true, .tied = false});
constexpr auto one_state = resolve({.vocab_size = 17, .d_model = 24, .n_layers = 1, .d_state = 1});
constexpr auto one_tap = resolve({.vocab_size = 48, .d_model = 16, .n_layers = 2, .d_conv = 1, .conv_bias = false});
constexpr auto two_taps = resolve({.vocab_size = 40, .d_model = 36, .n_layers = 1, .d_conv = 2, .d_inner = 17, .dt_rank = 1, .dt_bias = false});
constexpr auto smallest = resolve({.vocab_size = 1, .d_model = 1, .n_layers = 1, .d_state = 1, .d_conv = 1, .d_inner = 1, .dt_rank = 1});
constexpr auto narrow = resolve({.vocab_size = 130, .d_model = 7, .n_layers = 2, .d_state = 3, .in_bias = true, .x_bias = true,
                                 .out_bias = true, .norm_bias = true, .norm_eps = 1e-3});
constexpr auto layer_norm = resolve({.vocab_size = 23, .d_model = 15, .n_layers = 2, .d_state = 3, .norm_bias = true,
                                     .norm = krait::NormKind::layer});
constexpr auto wide = resolve({.vocab_size = 300, .d_model = 96, .n_layers = 1, .tied = false});

template <auto dims>
using Mamba = krait::Mamba<dims>;
}  // namespace

std::vector<Subject> language_models() {
  std::vector<Subject> all;
  add<Mamba, seed, odd, prime, smallest, layer_norm>(all, "Mamba");
#ifndef LAWS_QUICK  // quick builds leave out these models, because layers.cpp tests single layers with similar dims
  add<Mamba, usual, one_state, one_tap, two_taps, narrow, wide>(all, "Mamba");
#endif
  return all;
}

}  // namespace laws
