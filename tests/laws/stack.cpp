// Tests that a Stack gives the same bits as its layers called one after the other.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <krait.hpp>
#include <krait/convert.hpp>
#include <limits>
#include <vector>

namespace {

using krait::LinearDims;
using krait::NormDims;

constexpr std::size_t length = 9;
template <std::size_t width>
using Rows = std::vector<krait::Tensor<float, width>>;

// A stack of layers that work in place and layers that do not, in every order of the two kinds. Every norm has a different eps.
struct Parts {
  KRAIT_PARAMS(Parts,
    (krait::Linear<LinearDims{.d_in = 7, .d_out = 12}>, first),
    (krait::RmsNorm<NormDims{.d_model = 12, .eps = 0.5}>, norm),
    (krait::Linear<LinearDims{.d_in = 12, .d_out = 90}>, wider),
    (krait::Linear<LinearDims{.d_in = 90, .d_out = 12, .bias = true}>, narrower),
    (std::array<krait::ResidualBlock<krait::resolve(krait::BlockDims{.d_model = 12, .d_state = 2, .norm_eps = 0.125})>, 2>, layers),
    (krait::Conv1d<krait::Conv1dDims{.channels = 12, .d_conv = 3}>, conv),
    (krait::RmsNorm<NormDims{.d_model = 12, .bias = true, .eps = 1e-3}>, other_norm),
    (krait::MeanPool<12>, pool),
    (krait::Linear<LinearDims{.d_in = 12, .d_out = 80}>, hidden),
    (krait::Linear<LinearDims{.d_in = 80, .d_out = 3}>, last));
};

template <class Model>
void draw(Model& model, std::uint64_t seed) {
  krait::for_each_param(model, [&, i = std::uint64_t{0}](auto, auto& param) mutable {
    krait::assign(param, [&](std::size_t, std::size_t) { return krait::uniform(krait::key(seed), i++, -0.5f, 0.5f); });
  });
}
template <std::size_t width>
Rows<width> drawn_rows(float limit) {
  Rows<width> rows(length);
  for (std::size_t i = 0; i < length * width; ++i) rows[i / width][i % width] = krait::uniform(krait::key(2), i, -limit, limit);
  return rows;
}

// Returns a layer's output for every token, computed by single steps. Output t of a pooling layer summarises the first t + 1
// tokens.
template <class Layer>
Rows<Layer::d_out> through(const Layer& layer, const Rows<Layer::d_in>& xs) {
  krait::State<Layer> state{};
  Rows<Layer::d_out> ys(xs.size());
  for (std::size_t t = 0; t < xs.size(); ++t) krait::step(layer, state, xs[t], ys[t]);
  return ys;
}

TEST_CASE("a stack gives the same bits as its layers called one after the other") {
  static krait::Stack<Parts> stack;
  draw(stack, 1);
  const auto xs = drawn_rows<7>(0.5f);
  auto rows = through(stack.norm, through(stack.first, xs));
  rows = through(stack.narrower, through(stack.wider, rows));
  for (const auto& block : stack.layers) rows = through(block, rows);
  rows = through(stack.pool, through(stack.other_norm, through(stack.conv, rows)));
  const auto wanted = through(stack.last, through(stack.hidden, rows));
  CHECK(through(stack, xs) == wanted);
  krait::State<krait::Stack<Parts>> state{};
  krait::Tensor<float, 3> last;
  krait::prefill(stack, state, xs, last);
  CHECK(last == wanted.back());
}

// A stack whose first and last members are arrays of blocks: at both ends, the input and the output of an array are different
// vectors.
struct BlocksAtBothEnds {
  static constexpr auto block = krait::resolve(krait::BlockDims{.d_model = 7, .d_state = 2});
  KRAIT_PARAMS(BlocksAtBothEnds,
    (std::array<krait::ResidualBlock<block>, 2>, before),
    (krait::Linear<LinearDims{.d_in = 7, .d_out = 7}>, linear),
    (std::array<krait::ResidualBlock<block>, 2>, behind));
};

TEST_CASE("a stack that begins and ends with an array of blocks gives the same bits as the blocks called one by one") {
  static krait::Stack<BlocksAtBothEnds> stack;
  draw(stack, 4);
  const auto xs = drawn_rows<7>(0.5f);
  auto rows = xs;
  for (const auto& block : stack.before) rows = through(block, rows);
  rows = through(stack.linear, rows);
  for (const auto& block : stack.behind) rows = through(block, rows);
  CHECK(through(stack, xs) == rows);
}

// Residuals of layers with and without state: nested, in an array, and after pooling.
struct MixerParts {
  static constexpr auto block = krait::resolve(krait::BlockDims{.d_model = 7, .d_state = 2});
  KRAIT_PARAMS(MixerParts, (krait::LayerNorm<NormDims{.d_model = 7, .bias = true}>, norm), (krait::MambaBlock<block>, mixer));
};
struct FeedForwardParts {
  KRAIT_PARAMS(FeedForwardParts, (krait::Linear<LinearDims{.d_in = 7, .d_out = 18}>, up), (krait::Silu<18>, silu),
               (krait::Linear<LinearDims{.d_in = 18, .d_out = 7}>, down), (krait::Residual<krait::Tanh<7>>, tanh));
};
using FeedForward = krait::Residual<krait::Stack<FeedForwardParts>>;
using Conv = krait::Conv1d<krait::Conv1dDims{.channels = 7}>;
struct ResidualParts {
  KRAIT_PARAMS(ResidualParts,
    (FeedForward, first),
    (std::array<krait::Residual<krait::Stack<MixerParts>>, 2>, layers),
    (std::array<FeedForward, 2>, others),
    (krait::Residual<krait::Residual<Conv>>, twice),
    (krait::MeanPool<7>, pool),
    (FeedForward, last));
};

template <class L>
Rows<L::d_in> plus_input(const krait::Residual<L>& residual, const Rows<L::d_in>& xs) {
  auto ys = through(static_cast<const L&>(residual), xs);
  for (std::size_t i = 0; i < xs.size() * L::d_in; ++i) ys[i / L::d_in][i % L::d_in] += xs[i / L::d_in][i % L::d_in];
  return ys;
}
Rows<7> feed_forward(const FeedForward& layer, const Rows<7>& xs) {
  auto ys = plus_input(layer.tanh, through(layer.down, through(layer.silu, through(layer.up, xs))));
  for (std::size_t i = 0; i < length * 7; ++i) ys[i / 7][i % 7] += xs[i / 7][i % 7];
  return ys;
}

TEST_CASE("a Residual adds its input to the output of its layer, also within stacks, arrays and other Residuals") {
  static krait::Stack<ResidualParts> stack;
  draw(stack, 5);
  const auto xs = drawn_rows<7>(0.5f);
  auto rows = feed_forward(stack.first, xs);
  for (const auto& layer : stack.layers) {
    auto inner = through(layer.mixer, through(layer.norm, rows));
    for (std::size_t i = 0; i < length * 7; ++i) rows[i / 7][i % 7] += inner[i / 7][i % 7];
  }
  for (const auto& layer : stack.others) rows = feed_forward(layer, rows);
  auto twice = plus_input(static_cast<const krait::Residual<Conv>&>(stack.twice), rows);
  for (std::size_t i = 0; i < length * 7; ++i) rows[i / 7][i % 7] += twice[i / 7][i % 7];
  rows = feed_forward(stack.last, through(stack.pool, rows));
  CHECK(through(stack, xs) == rows);
}

TEST_CASE("layers without state take no memory in the states of nested stacks and Residuals") {
  using krait::state_bytes;
  STATIC_REQUIRE(state_bytes<krait::Stack<FeedForwardParts>> == 0);
  STATIC_REQUIRE(state_bytes<krait::Stack<MixerParts>> == state_bytes<krait::MambaBlock<MixerParts::block>>);
  STATIC_REQUIRE(state_bytes<krait::Stack<ResidualParts>> == 2 * state_bytes<krait::Stack<MixerParts>> +
                                                                   state_bytes<Conv> + state_bytes<krait::MeanPool<7>>);
}

// Returns the outputs of a StridedConv1d for all frames, computed from its definition: y[t] reads the frames from t * stride -
// padding on.
template <krait::StridedConv1dDims dims>
std::vector<std::vector<double>> convolved(const krait::StridedConv1d<dims>& layer, const std::vector<float>& frames) {
  const std::size_t count = frames.size() / dims.channels;
  std::vector<std::vector<double>> ys;
  for (std::size_t t = 0; t * dims.stride + dims.kernel <= count + dims.padding; ++t) {
    ys.emplace_back(dims.d_out);
    for (std::size_t row = 0; row < dims.d_out; ++row) {
      double sum = 0;
      if constexpr (dims.bias) sum = double{layer.bias.get(row)};
      for (std::size_t j = 0; j < dims.kernel; ++j)
        for (std::size_t c = 0; c < dims.channels && t * dims.stride + j >= dims.padding; ++c)
          sum += double{layer.weight.get(row, j * dims.channels + c)} *
                 double{frames[(t * dims.stride + j - dims.padding) * dims.channels + c]};
      ys.back()[row] = sum;
    }
  }
  return ys;
}

template <krait::StridedConv1dDims dims>
void check_convolution(std::size_t warm_up) {
  using Layer = krait::StridedConv1d<dims>;
  Layer layer;
  draw(layer, 7);
  CHECK(krait::warm_up<Layer> == warm_up);
  const auto xs = drawn_rows<Layer::d_in>(1.0f);
  std::vector<float> frames;
  for (const auto& x : xs) frames.insert(frames.end(), x.begin(), x.end());
  const auto wanted = convolved(layer, frames);
  const auto ys = through(layer, xs);
  REQUIRE(wanted.size() + warm_up == length);
  for (std::size_t t = 0; t < length; ++t)
    for (std::size_t i = 0; i < dims.d_out; ++i)
      CHECK(std::fabs(double{ys[t][i]} - (t < warm_up ? 0.0 : wanted[t - warm_up][i])) < 1e-5);
}

TEST_CASE("StridedConv1d gives the convolution of the frames, and zeros for the first warm_up tokens") {
  check_convolution<krait::StridedConv1dDims{.channels = 3, .d_out = 19, .kernel = 1}>(0);
  check_convolution<krait::StridedConv1dDims{.channels = 3, .d_out = 19, .kernel = 4}>(3);
  check_convolution<krait::StridedConv1dDims{.channels = 3, .d_out = 5, .kernel = 4, .padding = 1, .bias = false}>(2);
  check_convolution<krait::StridedConv1dDims{.channels = 1, .d_out = 70, .kernel = 12, .stride = 4, .padding = 4}>(1);
  check_convolution<krait::StridedConv1dDims{.channels = 5, .d_out = 4, .kernel = 6, .stride = 2, .padding = 4}>(0);
  check_convolution<krait::StridedConv1dDims{.channels = 2, .d_out = 4, .kernel = 3, .stride = 3}>(0);
}

// A layer as a user defines it, which contains a convolution without padding and has the warm_up of this convolution.
using FrontConv = krait::StridedConv1d<krait::StridedConv1dDims{.channels = 2, .d_out = 7, .kernel = 8, .stride = 2}>;
struct Front {
  static constexpr std::size_t d_in = FrontConv::d_in, d_out = FrontConv::d_out, multiply_adds = FrontConv::multiply_adds;
  static constexpr std::size_t warm_up = FrontConv::warm_up;
  using State = krait::State<FrontConv>;
  template <std::size_t tokens>
  using Scratch = krait::Scratch<FrontConv, tokens>;
  KRAIT_PARAMS(Front, (FrontConv, conv1d));
};
template <std::size_t tokens>
std::size_t run(const Front& layer, krait::State<Front>& state, krait::Scratch<Front, tokens>& scratch,
                krait::TokenSpan<const float> in, krait::TokenSpan<float> out, std::size_t n) {
  return krait::run_layer<tokens>(layer.conv1d, state, scratch, in, out, n);
}
static_assert(krait::check_layer<Front>() && krait::check_layer<FrontConv>());

// Nested stacks whose first member is the user's layer, followed by layers with state.
struct FrontParts {
  KRAIT_PARAMS(FrontParts, (Front, front), (krait::Silu<7>, silu), (Conv, depthwise));
};
struct TokensParts {
  KRAIT_PARAMS(TokensParts, (krait::Stack<FrontParts>, front), (krait::Residual<krait::Stack<MixerParts>>, mixer));
};
struct PooledParts {
  KRAIT_PARAMS(PooledParts, (krait::Stack<TokensParts>, front), (krait::MeanPool<7>, pool),
               (krait::Linear<LinearDims{.d_in = 7, .d_out = 3, .bias = true}>, last));
};

TEST_CASE("a stack writes zeros for its first layer's tokens without output, and its other layers do not process them") {
  static krait::Stack<PooledParts> pooled;
  draw(pooled, 8);
  const auto xs = drawn_rows<4>(1.0f);
  const auto& tokens = pooled.front;
  const auto& front = tokens.front;
  STATIC_REQUIRE(krait::warm_up<krait::Stack<PooledParts>> == 3);
  auto rows = through(front.front.conv1d, xs);
  rows.erase(rows.begin(), rows.begin() + 3);
  rows = through(tokens.mixer, through(front.depthwise, through(front.silu, rows)));
  auto means = through(pooled.last, through(pooled.pool, rows));
  rows.insert(rows.begin(), 3, krait::Tensor<float, 7>{});
  means.insert(means.begin(), 3, krait::Tensor<float, 3>{});
  CHECK(through(tokens, xs) == rows);
  CHECK(through(pooled, xs) == means);
}

TEST_CASE("a stack's scratch has two buffers between layers if an inner layer does not work in place") {
  STATIC_REQUIRE(decltype(krait::Scratch<krait::Stack<Parts>>::between){}.size() == 2);
  STATIC_REQUIRE(decltype(krait::Scratch<krait::Stack<BlocksAtBothEnds>>::between){}.size() == 2);
}

template <krait::NormKind kind, NormDims dims>
void check_norm(const Rows<dims.d_model>& xs) {
  krait::Norm<kind, dims> norm;
  draw(norm, 3);
  const auto ys = through(norm, xs);
  constexpr double count{dims.d_model};
  for (std::size_t t = 0; t < xs.size(); ++t) {
    double sum = 0, squares = 0;
    for (const float x : xs[t]) sum += double{x};
    const double mean = kind == krait::NormKind::layer ? sum / count : 0.0;
    for (const float x : xs[t]) squares += (double{x} - mean) * (double{x} - mean);
    for (std::size_t i = 0; i < dims.d_model; ++i) {
      const double scaled = (double{xs[t][i]} - mean) / std::sqrt(squares / count + double{float(dims.eps)});
      double wanted = scaled * double{norm.weight.get(i)};
      if constexpr (dims.bias) wanted += double{norm.bias.get(i)};
      CHECK(std::fabs(double{ys[t][i]} - wanted) < 1e-6);
    }
  }
}

TEST_CASE("RmsNorm divides by sqrt(mean square + eps), with the eps of its own dims") {
  const auto xs = drawn_rows<12>(0.25f);  // the mean square of these inputs is 0.02
  check_norm<krait::NormKind::rms, NormDims{.d_model = 12}>(xs);
  check_norm<krait::NormKind::rms, NormDims{.d_model = 12, .eps = 0.5}>(xs);
  check_norm<krait::NormKind::rms, NormDims{.d_model = 12, .bias = true, .eps = 1e-3}>(xs);
}

TEST_CASE("LayerNorm subtracts the mean and divides by sqrt(variance + eps), with the eps of its own dims") {
  auto xs = drawn_rows<35>(0.25f);
  for (auto& row : xs)
    for (float& x : row) x += 2.0f;
  check_norm<krait::NormKind::layer, NormDims{.d_model = 35}>(xs);
  check_norm<krait::NormKind::layer, NormDims{.d_model = 35, .bias = true, .eps = 0.5}>(xs);
  check_norm<krait::NormKind::layer, NormDims{.d_model = 12, .bias = true, .eps = 1e-3}>(drawn_rows<12>(3.0f));
  check_norm<krait::NormKind::layer, NormDims{.d_model = 1, .bias = true}>(drawn_rows<1>(3.0f));
}

template <template <std::size_t> class Layer, class F>
void check_activation(F wanted) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const auto xs = drawn_rows<21>(6.0f);
  const auto ys = through(Layer<21>{}, xs);
  for (std::size_t i = 0; i < length * 21; ++i)
    CHECK(std::fabs(double{ys[i / 21][i % 21]} - wanted(double{xs[i / 21][i % 21]})) < 1e-6);
  krait::NoState none;
  krait::Tensor<float, 3> y;
  krait::step(Layer<3>{}, none, krait::Tensor<float, 3>{{std::nanf(""), infinity, -infinity}}, y);
  CHECK(std::isnan(y[0]));
  const double at_infinity = wanted(1e30), at_minus_infinity = wanted(-20.0);
  CHECK(double{y[1]} == (at_infinity > 1 ? double{infinity} : at_infinity));
  CHECK(std::fabs(double{y[2]} - at_minus_infinity) < 1e-7);
}

TEST_CASE("an activation layer applies its function to every channel, and propagates NaN and infinities as the function does") {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  check_activation<krait::Relu>([](double x) { return std::fmax(x, 0.0); });
  check_activation<krait::Silu>([&](double x) { return x * sigmoid(x); });
  check_activation<krait::Gelu>([](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; });
  check_activation<krait::GeluTanh>(
      [](double x) { return x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))) / 2; });
  check_activation<krait::Tanh>([](double x) { return std::tanh(x); });
  check_activation<krait::Sigmoid>(sigmoid);
}

template <krait::Storage storage>
void check_positions(double largest_rounding) {
  krait::PositionalEmbedding<5, 21> exact;
  draw(exact, 6);
  krait::PositionalEmbedding<5, 21, storage> positions;
  krait::convert(exact, positions);
  for (std::size_t i = 0; i < 5 * 21; ++i)
    CHECK(std::fabs(double{positions.weight.get(i / 21, i % 21)} - double{exact.weight.get(i / 21, i % 21)}) <=
          largest_rounding);
  const auto xs = drawn_rows<21>(1.0f);
  const auto ys = through(positions, xs);
  for (std::size_t i = 0; i < length * 21; ++i) {
    const std::size_t t = i / 21;
    const double row = double{positions.weight.get(t < 5 ? t : 4, i % 21)};
    CHECK(ys[t][i % 21] == static_cast<float>(double{xs[t][i % 21]} + row));
  }
}

TEST_CASE("PositionalEmbedding adds row t of its weight to token t, and the last row to all later tokens") {
  check_positions<krait::Storage::f32>(0);
  check_positions<krait::Storage::bf16>(0x1p-10);
  check_positions<krait::Storage::f16>(0x1p-13);
  check_positions<krait::Storage::int8>(0.002);
}

TEST_CASE("MeanPool gives, at every step, the mean of all vectors so far") {
  const auto xs = drawn_rows<21>(1.0f);
  const auto means = through(krait::MeanPool<21>{}, xs);
  for (std::size_t i = 0; i < 21; ++i) {
    double sum = 0;
    for (std::size_t t = 0; t < length; ++t) {
      sum += double{xs[t][i]};
      CHECK(std::fabs(double{means[t][i]} - sum / static_cast<double>(t + 1)) < 1e-6);
    }
  }
}

TEST_CASE("MaxPool gives, at every step, the largest value of each channel so far; a NaN stays") {
  auto xs = drawn_rows<21>(1.0f);
  xs[3][20] = std::nanf("");
  xs[4][19] = std::numeric_limits<float>::infinity();
  const auto largest = through(krait::MaxPool<21>{}, xs);
  for (std::size_t i = 0; i < 21; ++i) {
    float wanted = -std::numeric_limits<float>::infinity();
    for (std::size_t t = 0; t < length; ++t) {
      if (!(xs[t][i] <= wanted) && !std::isnan(wanted)) wanted = xs[t][i];
      CHECK((largest[t][i] == wanted || (std::isnan(largest[t][i]) && std::isnan(wanted))));
    }
    CHECK(std::isnan(wanted) == (i == 20));
  }
}

}  // namespace
