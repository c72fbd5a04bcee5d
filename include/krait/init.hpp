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

// True if there are two arguments, of which the first is a Key.
template <class...>
inline constexpr bool key_and_model = false;
template <class Model>
inline constexpr bool key_and_model<Key, Model> = true;

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
// A_log [d_inner, d_state] is equal, too: in row-major order, its first d_inner elements are log(1), the next d_inner are
// log(2), and so on up to log(d_state). It therefore differs from mamba-ssm's A_log (S4D-real), where every row is log(1),
// log(2), ..., log(d_state).
// The first overload is that of types for which no other overload exists.
template <class L>
void init(Key, L&) noexcept {
  if constexpr (std::is_const_v<L>)
    static_assert(check::weights_of<L>::are_writable,
                  "krait::init(key, model): the model must not be const, because init writes its weights");
  else
    static_assert(check::weights_of<L>::have_init,
                  "krait::init(key, model): the model must be a layer or model of Krait, or have a function init(krait::Key, Layer&) in its namespace");
}
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
template <class L>
void init(Key key, Residual<L>& layer) noexcept {
  init(key, static_cast<L&>(layer));
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

}  // namespace krait::inline KRAIT_BUILD

namespace krait::detail::inline KRAIT_BUILD {

template <class Block>
concept HasProjections = requires(Block block) { block.in_proj, block.out_proj; };

// Returns the number of blocks of Mamba-1, Mamba-2 and Mamba-3 in a model.
template <class Model>
consteval std::size_t count_blocks() {
  std::size_t count = 0;
  const auto add = [&]<class Part>(NoPath, std::size_t times) {
    if constexpr (HasProjections<Part>) count += times;
  };
  visit_types<Model>(NoPath{}, 1, add);
  return count;
}

// start_training(key, part, blocks) is called after init(key, part), and replaces the values of some weights by those that the
// comment of init_for_training describes. `blocks` is the number of blocks in the model. The first overload is for layers that
// start training with the values of init.
template <class L>
void start_training(Key, L&, std::size_t) noexcept {}
template <LinearDims dims, RowLayout order>
void start_training(Key, Linear<dims, order>& layer, std::size_t) noexcept {
  if constexpr (dims.bias) fill_constant(layer.bias, 0.0f);
}
template <std::size_t vocab_size, std::size_t d_model, Storage storage>
void start_training(Key key, Embedding<vocab_size, d_model, storage>& layer, std::size_t) noexcept {
  fill(layer.weight, [&](std::uint64_t i) { return 0.02f * normal(key, i); });
}
template <std::size_t max_tokens, std::size_t d_model, Storage storage>
void start_training(Key key, PositionalEmbedding<max_tokens, d_model, storage>& layer, std::size_t) noexcept {
  fill(layer.weight, [&](std::uint64_t i) { return 0.02f * normal(key, i); });
}
template <SsmDims dims>
void start_training(Key key, SelectiveStateSpaceModel<dims>& layer, std::size_t blocks) noexcept {
  const Key draw = split(key, 5);
  assign(layer.A_log, [](std::size_t, std::size_t n) { return __builtin_logf(static_cast<float>(n + 1)); });
  start_training(key, layer.x_proj, blocks);
  fill_uniform(layer.dt_proj.weight, split(draw, 0), 1.0f / __builtin_sqrtf(static_cast<float>(dims.dt_rank)));
  if constexpr (dims.dt_bias) fill(layer.dt_proj.bias, [&](std::uint64_t i) { return draw_dt_bias(split(draw, 1), i); });
}
template <SsmDims dims>
void start_training(Key key, SelectiveStateSpace<dims>& layer, std::size_t blocks) noexcept {
  assign(layer.A_log, [](std::size_t, std::size_t n) { return __builtin_logf(static_cast<float>(n + 1)); });
  start_training(key, layer.x_proj, blocks);
  start_training(key, layer.dt_proj, blocks);
  start_training(key, layer.out_proj, blocks);
}
template <HasProjections Block>
void start_training(Key key, Block& block, std::size_t blocks) noexcept {
  start_training(key, block.in_proj, blocks);
  start_training(key, block.out_proj, blocks);
  if constexpr (requires { block.ssm; }) start_training(key, block.ssm, blocks);
  constexpr std::size_t d_inner = Block::OutProj::d_in;
  fill_uniform(block.out_proj.weight, split(split(key, 4), 0), 1.0f / __builtin_sqrtf(static_cast<float>(blocks * d_inner)));
}
template <auto dims>
void start_training(Key key, ResidualBlock<dims>& block, std::size_t blocks) noexcept {
  start_training(key, block.mixer, blocks);
}
template <class L>
void start_training(Key key, Residual<L>& layer, std::size_t blocks) noexcept {
  start_training(key, static_cast<L&>(layer), blocks);
}
template <class L, std::size_t n>
void start_training(Key key, std::array<L, n>& layers, std::size_t blocks) noexcept {
  for (std::size_t i = 0; i < n; ++i) start_training(split(key, i), layers[i], blocks);
}
template <class Parts>
void start_training(Key key, Stack<Parts>& stack, std::size_t blocks) noexcept {
  std::uint64_t i = 0;
  std::apply([&](auto&... members) { (start_training(split(key, i++), members, blocks), ...); },
             tie_members(static_cast<Parts&>(stack)));
}
template <auto dims>
void start_training(Key key, Mamba<dims>& model, std::size_t blocks) noexcept {
  for (std::size_t i = 0; i < dims.n_layers; ++i) start_training(split(key, i + 1), model.backbone.layers[i], blocks);
  start_training(split(key, dims.n_layers + 1), model.backbone.embedding, blocks);
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// init_for_training(key, model) sets the initial weights of a model or layer for training, as mamba-ssm does
// (state-spaces/mamba, mamba_simple.py and mixer_seq_simple.py):
//   - linear layers and conv1d: weights uniform in +-1 / sqrt(fan_in), where fan_in is the number of inputs of one output; the
//     weights of out_proj are also divided by the square root of the number of blocks in the model
//   - biases of linear layers: 0; biases of conv1d: as its weights
//   - dt_proj: weights uniform in +-1 / sqrt(dt_rank); biases such that softplus(bias) is log-uniform in [1e-3, 1e-1]
//   - A_log: log(1) to log(d_state) for every channel (S4D-real); D: 1; norm weights: 1
//   - Mamba-2 and Mamba-3: dt_bias, A_log and the other weights of the recurrence: as krait::init sets them
//   - embeddings: normal with standard deviation 0.02; an output head that is not tied: as a linear layer
template <class Model>
void init_for_training(Key key, Model& model) noexcept {
  init(key, model);
  if constexpr (!std::is_const_v<Model>) detail::start_training(key, model, detail::count_blocks<Model>());
}
// init_for_training<Model>(key) returns a model with the weights that init_for_training(key, model) sets.
template <class Model>
[[nodiscard]] Model init_for_training(Key key) noexcept {
  Model model{};
  init_for_training(key, model);
  return model;
}

// These overloads give one clear compile error for other arguments.
template <class... Arguments>
  requires(!detail::key_and_model<Arguments...>)
void init(const Arguments&...) noexcept {
  static_assert(check::got<sizeof...(Arguments)>::template wants<2> && detail::key_and_model<Arguments...>,
                "krait::init takes (key, model), where key is a krait::Key such as krait::key(1)");
}
template <class... Arguments>
  requires(!detail::key_and_model<Arguments...>)
void init_for_training(const Arguments&...) noexcept {
  static_assert(check::got<sizeof...(Arguments)>::template wants<2> && detail::key_and_model<Arguments...>,
                "krait::init_for_training takes (key, model), where key is a krait::Key such as krait::key(1)");
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
