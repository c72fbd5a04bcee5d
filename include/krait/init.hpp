// Defines two functions that set initial weights: init draws the same weights as the JAX library noxton, and init_for_training
// follows mamba-ssm.
#ifndef KRAIT_INIT_HPP
#define KRAIT_INIT_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <algorithm>
#include <cmath>

#include "krait/core/random.hpp"
#include "krait/nn/activation.hpp"
#include "krait/nn/mamba.hpp"
#include "krait/nn/pooling.hpp"
#include "krait/nn/positional_embedding.hpp"
#include "krait/nn/stack.hpp"
#include "krait/nn/strided_conv1d.hpp"

namespace krait::detail::inline KRAIT_BUILD {

// Sets every element of a tensor: element i becomes draw(i). i is the index of the element in a checkpoint, where tensors are
// row-major.
template <Parameter T, class Draw>
void fill(T& tensor, Draw draw) {
  assign(tensor, [&](std::size_t row, std::size_t col) { return draw(std::uint64_t{row} * T::cols + col); });
}
template <Parameter T>
void fill_uniform(T& tensor, Key key, float limit) {
  fill(tensor, [&](std::uint64_t i) { return uniform(key, i, -limit, limit); });
}
template <Parameter T>
void fill_constant(T& tensor, float value) {
  fill(tensor, [&](std::uint64_t) { return value; });
}

// Initialises the weight and the bias of a linear layer or a convolution as the JAX library Equinox does: uniformly in +-1 /
// sqrt(fan_in), where fan_in is the number of inputs of one output.
template <class L>
void init_weight_and_bias(Key key, std::size_t fan_in, L& layer) noexcept {
  const float limit = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(fan_in)));
  fill_uniform(layer.weight, split(key, 0), limit);
  if constexpr (L::has_bias) fill_uniform(layer.bias, split(key, 1), limit);
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// init(key, layer) sets every weight of a layer or model to the value that the JAX library noxton draws with the same key.
// Uniformly distributed weights are equal bit for bit; normally distributed weights have a relative error of at most 1e-6.
// A_log [d_inner, d_state] is equal, too: in row-major order, it consists of d_inner times log(1), then d_inner times log(2),
// and so on up to log(d_state). It therefore differs from mamba-ssm's A_log (S4D-real), where every row is log(1), log(2), ...,
// log(d_state).
template <LinearDims dims, RowLayout order>
void init(Key key, Linear<dims, order>& layer) noexcept {
  detail::init_weight_and_bias(key, dims.d_in, layer);
}
template <Conv1dDims dims>
void init(Key key, Conv1d<dims>& layer) noexcept {
  detail::init_weight_and_bias(key, dims.d_conv, layer);
}
template <StridedConv1dDims dims>
void init(Key key, StridedConv1d<dims>& layer) noexcept {
  detail::init_weight_and_bias(key, dims.kernel * dims.channels, layer);
}
template <NormKind kind, NormDims dims>
void init(Key, Norm<kind, dims>& layer) noexcept {
  detail::fill_constant(layer.weight, 1.0f);
  if constexpr (dims.bias) detail::fill_constant(layer.bias, 0.0f);
}
template <std::size_t vocab_size, std::size_t d_model, Storage storage>
void init(Key key, Embedding<vocab_size, d_model, storage>& layer) noexcept {
  detail::fill(layer.weight, [&](std::uint64_t i) { return normal(key, i); });
}
template <std::size_t max_tokens, std::size_t d_model, Storage storage>
void init(Key key, PositionalEmbedding<max_tokens, d_model, storage>& layer) noexcept {
  detail::fill(layer.weight, [&](std::uint64_t i) { return normal(key, i); });
}

}  // namespace krait::inline KRAIT_BUILD

namespace krait::detail::inline KRAIT_BUILD {
template <class Ssm>
void init_ssm(Key key, Ssm& layer) noexcept {
  init(split(key, 1), layer.x_proj);
  init(split(key, 2), layer.dt_proj);
  fill(layer.A_log, [](std::uint64_t i) { return __builtin_logf(static_cast<float>(i / Ssm::d_inner + 1)); });
  fill_constant(layer.D, 1.0f);
}

// Returns element i of dt_bias: a random number whose softplus is log-uniform in [1e-3, 1e-1].
inline float draw_dt_bias(Key key, std::uint64_t i) noexcept {
  const float dt = std::max(__builtin_expf(uniform(key, i, __builtin_logf(1e-3f), __builtin_logf(1e-1f))), 1e-4f);
  return dt + __builtin_logf(-__builtin_expm1f(-dt));  // the inverse of softplus: the x for which softplus(x) = dt
}
// Initialises the weights that a Mamba2Block and a Mamba3Block have in common.
template <class Block>
void init_heads(Key key, Block& block) noexcept {
  init(split(key, 1), block.in_proj);
  init(split(key, 4), block.out_proj);
  fill(block.dt_bias, [draw = split(key, 5)](std::uint64_t i) { return draw_dt_bias(draw, i); });
  fill_constant(block.D, 1.0f);
  if constexpr (requires { block.norm; }) fill_constant(block.norm.weight, 1.0f);
}
}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

template <SsmDims dims>
void init(Key key, SelectiveStateSpaceModel<dims>& layer) noexcept {
  detail::init_ssm(key, layer);
}
template <SsmDims dims>
void init(Key key, SelectiveStateSpace<dims>& layer) noexcept {
  detail::init_ssm(key, layer);
  init(split(key, 3), layer.out_proj);
}
template <BlockDims dims>
void init(Key key, MambaBlock<dims>& block) noexcept {
  init(split(key, 1), block.in_proj);
  init(split(key, 2), block.conv1d);
  init(split(key, 3), block.ssm);
  init(split(key, 4), block.out_proj);
}

// init(key, block) initialises a Mamba2Block or a Mamba3Block. The JAX library noxton, whose initial weights other layers have,
// has no such blocks. The weights and biases of linear layers and of conv1d are uniform in +-1 / sqrt(number of inputs of one
// output). The other weights are set as in mamba-ssm (state-spaces/mamba, mamba2.py and mamba3.py):
//   - dt_bias: such that softplus(dt_bias) is log-uniform in [1e-3, 1e-1]
//   - A_log: the logarithm of a number that is uniform in [1, 16]
//   - D, norm weights, B_bias, C_bias and mimo_z: 1
//   - mimo_x and mimo_o: 1 / mimo_rank
template <Mamba2BlockDims dims>
void init(Key key, Mamba2Block<dims>& block) noexcept {
  detail::init_heads(key, block);
  init(split(key, 2), block.conv1d);
  detail::fill(block.A_log, [draw = split(key, 6)](std::uint64_t i) { return __builtin_logf(uniform(draw, i, 1.0f, 16.0f)); });
}
template <Mamba3BlockDims dims>
void init(Key key, Mamba3Block<dims>& block) noexcept {
  detail::init_heads(key, block);
  detail::fill_constant(block.B_bias, 1.0f);
  detail::fill_constant(block.C_bias, 1.0f);
  init(key, block.B_norm);
  init(key, block.C_norm);
  if constexpr (dims.mimo_rank > 1) {
    constexpr float share = 1.0f / static_cast<float>(dims.mimo_rank);
    detail::fill_constant(block.mimo_x, share);
    detail::fill_constant(block.mimo_z, 1.0f);
    detail::fill_constant(block.mimo_o, share);
  }
}
template <auto dims>
void init(Key key, ResidualBlock<dims>& block) noexcept {
  init(key, block.norm);
  init(key, block.mixer);
}
template <auto dims>
void init(Key key, Mamba<dims>& model) noexcept {
  for (std::size_t i = 0; i < dims.n_layers; ++i) init(split(key, i + 1), model.backbone.layers[i]);
  init(split(key, dims.n_layers + 1), model.backbone.embedding);
  init(key, model.backbone.norm_f);
  if constexpr (!dims.tied) init(split(key, dims.n_layers + 2), model.lm_head);
}
template <ActivationFunction function, std::size_t d_model>
void init(Key, Activation<function, d_model>&) noexcept {}
template <std::size_t d_model>
void init(Key, MeanPool<d_model>&) noexcept {}
template <std::size_t d_model>
void init(Key, MaxPool<d_model>&) noexcept {}
template <std::size_t d_model>
void init(Key, LastPool<d_model>&) noexcept {}
template <class L, std::size_t n>
void init(Key key, std::array<L, n>& layers) noexcept {
  for (std::size_t i = 0; i < n; ++i) init(split(key, i), layers[i]);
}
// Initialises member i of a Stack with the key split(key, i). noxton has no layer that corresponds to a Stack.
template <class Parts>
void init(Key key, Stack<Parts>& stack) noexcept {
  std::uint64_t i = 0;
  std::apply([&](auto&... members) { (init(split(key, i++), members), ...); }, detail::tie_members(static_cast<Parts&>(stack)));
}

// init<Model>(key) returns a model with the weights that init(key, model) sets. Example:
//   auto model = krait::init<Model>(krait::key(0));
template <class Model>
[[nodiscard]] Model init(Key key) noexcept {
  Model model{};
  init(key, model);
  return model;
}

// init_for_training(key, model) sets the initial weights for training, as mamba-ssm does (state-spaces/mamba, mamba_simple.py
// and mixer_seq_simple.py):
//   - linear layers and conv1d: weights uniform in +-1 / sqrt(fan_in), where fan_in is the number of inputs of one output; the
//     weights of out_proj are also divided by sqrt(n_layers); biases of linear layers are 0
//   - dt_proj: weights uniform in +-1 / sqrt(dt_rank); biases such that softplus(bias) is log-uniform in [1e-3, 1e-1]
//   - A_log: log(1) to log(d_state) for every channel (S4D-real); D: 1; norm weights: 1
//   - Mamba-2 and Mamba-3: dt_bias, A_log and the other weights of the recurrence: as krait::init sets them
//   - embedding: normal with standard deviation 0.02; an output head that is not tied: as a linear layer
template <auto dims>
void init_for_training(Key key, Mamba<dims>& model) noexcept {
  init(key, model);
  detail::fill(model.backbone.embedding.weight,
               [k = split(key, dims.n_layers + 1)](std::uint64_t i) { return 0.02f * normal(k, i); });
  for (std::size_t layer = 0; layer < dims.n_layers; ++layer) {
    auto& mixer = model.backbone.layers[layer].mixer;
    const auto zero_bias = [](auto& linear) {
      if constexpr (std::remove_reference_t<decltype(linear)>::has_bias) detail::fill_constant(linear.bias, 0.0f);
    };
    zero_bias(mixer.in_proj);
    zero_bias(mixer.out_proj);
    if constexpr (requires { mixer.ssm; }) {
      const Key k = split(split(key, layer + 1), 5);
      assign(mixer.ssm.A_log, [](std::size_t, std::size_t n) { return __builtin_logf(static_cast<float>(n + 1)); });
      zero_bias(mixer.ssm.x_proj);
      detail::fill_uniform(mixer.ssm.dt_proj.weight, split(k, 0), 1.0f / __builtin_sqrtf(static_cast<float>(dims.dt_rank)));
      if constexpr (dims.dt_bias)
        detail::fill(mixer.ssm.dt_proj.bias, [draw = split(k, 1)](std::uint64_t i) { return detail::draw_dt_bias(draw, i); });
    }
    const float limit = 1.0f / __builtin_sqrtf(static_cast<float>(dims.n_layers * dims.d_inner));
    detail::fill_uniform(mixer.out_proj.weight, split(split(split(key, layer + 1), 4), 0), limit);
  }
}
// init_for_training<Model>(key) returns a model with the weights that init_for_training(key, model) sets.
template <class Model>
[[nodiscard]] Model init_for_training(Key key) noexcept {
  Model model{};
  init_for_training(key, model);
  return model;
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
