// Defines for_each_layer, which visits every kind of layer, and `use`, which calls all of the library's functions for a layer.
#ifndef KRAIT_TESTS_HEADERS_EVERY_LAYER_HPP
#define KRAIT_TESTS_HEADERS_EVERY_LAYER_HPP

#include <array>

#include <krait.hpp>
#include <krait/session.hpp>
#include <krait/streams.hpp>

namespace every_layer {

inline constexpr auto dims = krait::resolve({.vocab_size = 24, .d_model = 16, .n_layers = 2, .d_state = 4});
inline constexpr auto untied_dims = krait::resolve({.vocab_size = 24, .d_model = 16, .n_layers = 1, .d_state = 4, .tied = false});
inline constexpr auto int8_dims = krait::with_storage(dims, krait::Storage::int8);
inline constexpr auto block_dims = krait::block_dims(dims);
inline constexpr auto ssm_dims = krait::resolve(krait::SsmDims{.d_inner = 16, .d_model = 8, .d_state = 4});
using In = krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 16, .bias = true}>;
using Out = krait::Linear<krait::LinearDims{.d_in = 16, .d_out = 3}>;
using Blocks = std::array<krait::ResidualBlock<block_dims>, 2>;
struct Parts {
  KRAIT_PARAMS(Parts, (In, in), (krait::MambaBlock<block_dims>, mixer), (Blocks, layers), (krait::MeanPool<16>, pool), (Out, out));
};
struct ResidualParts {
  KRAIT_PARAMS(ResidualParts, (std::array<krait::Residual<krait::MambaBlock<block_dims>>, 2>, layers),
               (krait::Residual<krait::Relu<16>>, relu));
};
struct ConvParts {
  KRAIT_PARAMS(ConvParts, (krait::StridedConv1d<krait::StridedConv1dDims{.channels = 5, .d_out = 16, .kernel = 3}>, conv),
               (krait::MambaBlock<block_dims>, mixer), (krait::LastPool<16>, pool));
};
struct RowParts {
  KRAIT_PARAMS(RowParts, (krait::Embedding<24, 16>, embedding), (krait::MambaBlock<block_dims>, mixer), (Out, out));
};
struct NestedParts {
  KRAIT_PARAMS(NestedParts, (krait::Stack<RowParts>, inner), (krait::RmsNorm<krait::NormDims{.d_model = 3}>, norm));
};

// Calls f<Layer>() for every kind of layer.
template <class F>
void for_each_layer(F f) {
  f.template operator()<In>();
  f.template operator()<Out>();
  f.template operator()<krait::Conv1d<krait::Conv1dDims{.channels = 16}>>();
  f.template operator()<krait::Conv1d<krait::Conv1dDims{.channels = 20, .d_conv = 1, .bias = false}>>();
  f.template operator()<krait::StridedConv1d<krait::StridedConv1dDims{.channels = 2, .d_out = 16, .kernel = 4, .stride = 2}>>();
  f.template operator()<krait::Stack<ConvParts>>();
  f.template operator()<krait::RmsNorm<krait::NormDims{.d_model = 16, .bias = true}>>();
  f.template operator()<krait::Embedding<24, 16>>();
  f.template operator()<krait::SelectiveStateSpaceModel<ssm_dims>>();
  f.template operator()<krait::SelectiveStateSpace<ssm_dims>>();
  f.template operator()<krait::MambaBlock<block_dims>>();
  f.template operator()<krait::ResidualBlock<block_dims>>();
  f.template operator()<krait::Mamba<dims>>();
  f.template operator()<krait::Mamba<untied_dims>>();
  f.template operator()<krait::Mamba<int8_dims>>();
  f.template operator()<krait::LayerNorm<krait::NormDims{.d_model = 16, .bias = true}>>();
  f.template operator()<krait::MeanPool<16>>();
  f.template operator()<krait::MaxPool<16>>();
  f.template operator()<krait::LastPool<16>>();
  f.template operator()<krait::Gelu<16>>();
  f.template operator()<krait::PositionalEmbedding<4, 16, krait::Storage::int8>>();
  f.template operator()<krait::Stack<Parts>>();
  f.template operator()<krait::Stack<RowParts>>();
  f.template operator()<krait::Residual<krait::Stack<ResidualParts>>>();
  f.template operator()<krait::Stack<NestedParts>>();
}

// A sequence of five inputs: token ids or vectors of floats.
template <class Layer>
auto sequence() {
  if constexpr (krait::TakesTokens<Layer>) return std::array{1, 2, 3, 23, 4};
  else return krait::Tensor<float, 5, Layer::d_in>{};
}

// Calls forward, prefill and step for one layer and returns the sum of the outputs.
template <class Layer>
float use(const Layer& layer) {
  krait::State<Layer> state{};
  krait::Scratch<Layer, 2> scratch;
  const auto xs = sequence<Layer>();
  krait::Tensor<float, Layer::d_out> y{};
  krait::step(layer, state, xs[0], y);
  float sum = y[0];
  krait::Tensor<float, 5, Layer::d_out> ys{};
  if constexpr (krait::Summarising<Layer>) {
    krait::prefill(layer, state, xs, y);
    krait::prefill(layer, state, xs, y, scratch);
    sum += y[0];
  } else {
    krait::prefill(layer, state, xs, ys);
    sum += ys[4][0];
  }
  if constexpr (krait::TakesTokens<Layer> || !krait::Summarising<Layer>) krait::prefill(layer, state, xs, ys, scratch);
  const auto all = krait::forward(layer, xs);
  (void)all;
  krait::Session session{layer};
  sum += session.step(xs[1])[0];
  krait::Session<Layer, 2> chunked{layer};
  if constexpr (krait::Summarising<Layer>) sum += chunked.prefill(xs)[0];
  chunked.reset();
  krait::Streams<Layer, 3> streams{layer};
  const std::array ids{streams.join(), streams.join()};
  const std::array inputs{xs[0], xs[1]};
  const std::array sequences{xs, xs};
  krait::Tensor<float, 2, Layer::d_out> each{};
  streams.step(ids, inputs, each);
  if constexpr (krait::Summarising<Layer>) {
    streams.prefill(ids, sequences, each);
  } else {
    krait::Tensor<float, 2, 5, Layer::d_out> of_each_token{};
    streams.prefill(ids, sequences, of_each_token);
  }
  sum += each[1][0] + static_cast<float>(streams.leave(0));
  krait::Sampler sampler{.temperature = 0.7f, .seed = krait::key(1)};
  krait::FilteredSampler<Layer::d_out> filtered{
      .temperature = 0.7f, .top_k = 5, .top_p = 0.9f, .min_p = 0.01f, .seed = krait::key(1)};
  const std::array recent{1, 2};
  const krait::Penalties penalties{.repetition = 1.1f};
  krait::apply_penalties(y, recent, penalties);
  sum += krait::log_probability(y, 0) + static_cast<float>(krait::is_finite(state));
  static_assert(noexcept(krait::step(layer, state, xs[0], y)) && noexcept(krait::step(layer, state, xs[0], y, scratch)) &&
                noexcept(krait::prefill(layer, state, xs, ys, scratch)) && noexcept(krait::forward(layer, xs)) &&
                noexcept(session.step(xs[1])) && noexcept(krait::sample(y, sampler)) && noexcept(krait::sample(y, filtered)) &&
                noexcept(krait::log_probability(y, 0)) && noexcept(krait::apply_penalties(y, recent, penalties)) &&
                noexcept(krait::is_finite(state)) && noexcept(streams.join()) && noexcept(streams.step(ids, inputs, each)));
  return sum + static_cast<float>(krait::sample(y, sampler) + krait::sample(y, filtered));
}

}  // namespace every_layer

#endif
