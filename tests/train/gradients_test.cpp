// Tests of properties that the gradients of every model have. random_stacks.py compares gradients with central differences.
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <catch2/catch.hpp>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/train.hpp>

namespace {

constexpr std::size_t window = 19;

float draw(std::size_t stream, std::size_t i) { return krait::normal(krait::key(stream), i); }

template <class Model>
std::unique_ptr<Model> random_model() {
  auto model = std::make_unique<Model>();
  std::size_t number = 10;
  krait::for_each_param(*model, [&](std::string_view name, auto& tensor) {
    const float mean = name.find("norm") == name.npos ? 0.0f : 1.0f;
    const std::size_t stream = number++, columns = tensor.cols;
    krait::assign(tensor, [&](std::size_t row, std::size_t col) { return mean + 0.3f * draw(stream, row * columns + col); });
  });
  return model;
}

// The inputs of a window, and the gradient of its outputs.
template <class Model>
struct Window {
  using Inputs = std::conditional_t<krait::TakesTokens<Model>, std::array<int, window>,
                                    krait::Tensor<float, window, Model::d_in>>;
  Inputs xs{};
  krait::Tensor<float, window, Model::d_out> dys{};
  Window() {
    for (std::size_t t = 0; t < window; ++t) {
      if constexpr (krait::TakesTokens<Model>) xs[t] = static_cast<int>(7 * t * t % (Model::d_in + 1));  // d_in is no token
      else
        for (std::size_t i = 0; i < Model::d_in; ++i) xs[t][i] = draw(1, t * Model::d_in + i);
      for (std::size_t i = 0; i < Model::d_out; ++i) dys[t][i] = draw(2, t * Model::d_out + i);
    }
  }
};

template <class Model, class Trained>
std::map<std::string, std::vector<float>> values_of(const Model& model, const krait::Gradients<Model, Trained>& gradients) {
  std::map<std::string, std::vector<float>> values;
  krait::for_each_gradient(model, gradients, [&](std::string_view name, const auto& tensor) {
    auto& all = values[std::string(name)];
    for (std::size_t row = 0; row < tensor.rows; ++row)
      for (std::size_t col = 0; col < tensor.cols; ++col) all.push_back(tensor.get(row, col));
  });
  return values;
}

// Records the tokens from `first` on, and computes their gradients. Replaces dstate by that of the state before them.
template <class Model, class Trained = krait::Everything>
struct Part {
  std::unique_ptr<krait::Tape<Model, window, Trained>> tape = std::make_unique<krait::Tape<Model, window, Trained>>();
  std::size_t first, count;

  Part(const Model& model, const Window<Model>& all, krait::State<Model>& state, std::size_t first, std::size_t count)
      : first(first), count(count) {
    std::memset(static_cast<void*>(tape.get()), 0xFF, sizeof(*tape));  // NaN: nothing may be read before it is written
    const auto xs = std::span(all.xs).subspan(first, count);
    if constexpr (krait::gives_one_row<Model>) {
      krait::Tensor<float, Model::d_out> y;
      krait::record(model, state, xs, y, *tape);
    } else {
      std::vector<krait::Tensor<float, Model::d_out>> ys(count);
      krait::record(model, state, xs, ys, *tape);
    }
  }
  template <class... More>
  void backward(const Model& model, const Window<Model>& all, krait::Gradients<Model, Trained>& gradients, More&&... more) {
    const std::size_t end = first + count;
    if constexpr (!krait::gives_one_row<Model>)
      krait::backward(model, *tape, std::span(all.dys).subspan(first, count), gradients, more...);
    else if (end == window) krait::backward(model, *tape, all.dys[0], gradients, more...);
    else krait::backward(model, *tape, krait::Tensor<float, Model::d_out>{}, gradients, more...);
  }
};

void check_near(const std::vector<float>& found, const std::vector<float>& wanted) {
  float largest = 0.0f, worst = 0.0f;
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    largest = std::fmax(largest, std::fabs(wanted[i]));
    worst = std::isfinite(found[i]) ? std::fmax(worst, std::fabs(found[i] - wanted[i])) : INFINITY;
  }
  CHECK(worst <= 2e-5f * largest);
}

// Checks the gradient of a window, which starts a sequence, against that of its parts: the tokens before `cut`, token `cut`,
// and those after it.
template <class Model>
void check_cut(std::size_t cut) {
  INFO("cut at token " << cut);
  const auto model = random_model<Model>();
  const Window<Model> all;
  const auto whole = std::make_unique<krait::Gradients<Model>>(), parts = std::make_unique<krait::Gradients<Model>>();
  const auto backward = [&](auto& part, auto& gradients, std::vector<float>& dxs, krait::State<Model>& dstate) {
    if constexpr (krait::TakesTokens<Model>) {
      part.backward(*model, all, gradients, krait::no_output, dstate);
    } else {
      std::vector<krait::Tensor<float, Model::d_in>> rows(part.count);
      part.backward(*model, all, gradients, rows, dstate);
      std::vector<float> now;
      for (const auto& row : rows) now.insert(now.end(), row.begin(), row.end());
      dxs.insert(dxs.begin(), now.begin(), now.end());
    }
  };
  std::vector<float> whole_dxs, parts_dxs;
  krait::State<Model> state, dstate;
  std::memset(static_cast<void*>(&dstate), 0, sizeof(dstate));
  Part<Model> window_part(*model, all, state, 0, window);
  backward(window_part, *whole, whole_dxs, dstate);
  state = {};
  std::memset(static_cast<void*>(&dstate), 0, sizeof(dstate));
  Part<Model> first(*model, all, state, 0, cut), one(*model, all, state, cut, 1);
  Part<Model> last(*model, all, state, cut + 1, window - cut - 1);
  for (auto* part : {&last, &one, &first}) backward(*part, *parts, parts_dxs, dstate);
  const auto wanted = values_of(*model, *whole);
  double squares = 0.0;
  for (const auto& [name, found] : values_of(*model, *parts)) {
    INFO(name);
    check_near(found, wanted.at(name));
    for (const float x : found) squares += static_cast<double>(x) * static_cast<double>(x);
  }
  INFO("the padding is 0");
  CHECK(krait::gradient_norm(*parts) == Approx(std::sqrt(squares)));
  INFO("the inputs");
  check_near(parts_dxs, whole_dxs);
}

// Checks that the gradients of selected parameters have the bits that they have if all are trained.
template <class Model, class Trained>
void check_selection() {
  const auto model = random_model<Model>();
  const Window<Model> all;
  const auto everything = std::make_unique<krait::Gradients<Model>>();
  const auto selected = std::make_unique<krait::Gradients<Model, Trained>>();
  krait::State<Model> state;
  Part<Model>(*model, all, state, 0, window).backward(*model, all, *everything);
  state = {};
  Part<Model, Trained>(*model, all, state, 0, window).backward(*model, all, *selected);
  const auto wanted = values_of(*model, *everything), found = values_of(*model, *selected);
  std::size_t trained = 0;
  for (const auto& [name, values] : wanted) trained += Trained::trains(name);
  CHECK(found.size() == trained);
  for (const auto& [name, values] : found) {
    INFO(name);
    CHECK(Trained::trains(name));
    CHECK(values == wanted.at(name));
  }
  CHECK(sizeof(krait::Tape<Model, window, Trained>) <= sizeof(krait::Tape<Model, window>));
}

struct Outputs {
  static constexpr bool trains(std::string_view name) { return name.find("out_proj") != name.npos; }
};
struct Decays {
  static constexpr bool trains(std::string_view name) { return name.ends_with("A_log"); }
};
struct Norms {
  static constexpr bool trains(std::string_view name) { return name.ends_with("norm.weight"); }
};
struct Last {
  static constexpr bool trains(std::string_view name) { return name.starts_with("last.") || name.find("norm_f") != name.npos; }
};

// Stacks whose first member has no output for the first two tokens: one that pools, and one that does not.
using FramesDims = krait::StridedConv1dDims;
using Frames = krait::StridedConv1d<FramesDims{.channels = 2, .d_out = 21, .kernel = 6, .stride = 2, .bias = true}>;
using Smooth = krait::Residual<krait::Conv1d<krait::Conv1dDims{.channels = 21, .d_conv = 3}>>;
struct PooledFramesParts {
  KRAIT_PARAMS(PooledFramesParts, (Frames, frames), (krait::GeluTanh<21>, gelu), (krait::PositionalEmbedding<7, 21>, positions),
               (Smooth, smooth), (krait::MaxPool<21>, pool),
               (krait::Linear<krait::LinearDims{.d_in = 21, .d_out = 4}>, last));
};
struct AllFramesParts {
  static constexpr krait::Mamba2BlockDims block{.d_model = 21, .d_state = 3, .d_inner = 36, .headdim = 18, .out_bias = true,
                                                .D_has_hdim = true, .norm_before_gate = true, .dt_limit = {0.3f, 0.9f}};
  KRAIT_PARAMS(AllFramesParts, (Frames, frames), (krait::Mamba2Block<block>, mixer),
               (krait::LayerNorm<krait::NormDims{.d_model = 21, .bias = true}>, norm),
               (krait::Linear<krait::LinearDims{.d_in = 21, .d_out = 70}>, widen), (krait::Silu<70>, silu),
               (krait::Linear<krait::LinearDims{.d_in = 70, .d_out = 4, .bias = true}>, last));
};
// Recurrences on their own, and the other pools.
struct RecurrencesParts {
  static constexpr krait::SsmDims ssm{.d_inner = 20, .d_state = 3, .dt_rank = 2, .x_bias = true, .dt_b_c_eps = 0.01f};
  static constexpr krait::SsmDims sss{.d_inner = 20, .d_model = 5, .d_state = 3, .dt_rank = 2, .out_bias = true};
  KRAIT_PARAMS(RecurrencesParts, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 20}>, in), (krait::Relu<20>, relu),
               (krait::SelectiveStateSpaceModel<ssm>, ssm_layer), (krait::Sigmoid<20>, sigmoid),
               (krait::SelectiveStateSpace<sss>, sss_layer), (krait::MeanPool<5>, pool), (krait::Tanh<5>, tanh),
               (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 4}>, last));
};
struct TokensParts {
  static constexpr krait::BlockDims block{.d_model = 18, .d_state = 3, .d_conv = 1, .d_inner = 20, .dt_rank = 2,
                                          .out_bias = true};
  using Blocks = std::array<krait::ResidualBlock<block>, 3>;
  KRAIT_PARAMS(TokensParts, (krait::Embedding<9, 18>, embedding), (krait::Gelu<18>, gelu), (Blocks, layers),
               (krait::LastPool<18>, pool), (krait::RmsNorm<krait::NormDims{.d_model = 18}>, last));
};
// The gradients of relu's inputs are in a buffer that contained those of tanh's, which are wider.
struct WidthsParts {
  using InputDims = krait::LinearDims;
  KRAIT_PARAMS(WidthsParts, (krait::Linear<InputDims{.d_in = 5, .d_out = 21}>, in), (krait::Relu<21>, relu),
               (krait::Linear<InputDims{.d_in = 21, .d_out = 40}>, widen), (krait::Tanh<40>, tanh),
               (krait::Linear<InputDims{.d_in = 40, .d_out = 4}>, last));
};
struct OneBlockParts {
  KRAIT_PARAMS(OneBlockParts, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 18}>, in),
               (krait::ResidualBlock<TokensParts::block>, layer),
               (krait::Linear<krait::LinearDims{.d_in = 18, .d_out = 4}>, last));
};
struct EmbeddingOnlyParts {
  KRAIT_PARAMS(EmbeddingOnlyParts, (krait::Embedding<70, 18>, embedding));
};
using Language = krait::Mamba<krait::resolve({.vocab_size = 21, .d_model = 18, .n_layers = 2, .d_state = 3, .tied = false})>;
using Language2 = krait::Mamba2<krait::resolve(krait::Mamba2Dims{.vocab_size = 21, .d_model = 18, .n_layers = 2, .d_state = 3,
                                                                .d_inner = 40, .headdim = 10, .ngroups = 2,
                                                                .rmsnorm = false})>;

using PooledFrames = krait::Stack<PooledFramesParts>;
using AllFrames = krait::Stack<AllFramesParts>;
using Recurrences = krait::Stack<RecurrencesParts>;
using Tokens = krait::Stack<TokensParts>;
using Widths = krait::Stack<WidthsParts>;
using OneBlock = krait::Stack<OneBlockParts>;
using EmbeddingOnly = krait::Stack<EmbeddingOnlyParts>;

// Tests of mutants compile the tests of one model.
#ifdef GRADIENTS_OF
template <class Model>
constexpr bool wanted = std::is_same_v<Model, GRADIENTS_OF>;
#else
template <class>
constexpr bool wanted = true;
#endif

template <class Model, class... Selections>
void check_selections() {
  if constexpr (wanted<Model>) (check_selection<Model, Selections>(), ...);
}

}  // namespace

TEMPLATE_TEST_CASE("the gradient of a window is the sum of those of its parts, if the state's gradient is carried between them",
                   "", PooledFrames, AllFrames, Recurrences, Tokens, Widths, Language, Language2) {
  if constexpr (wanted<TestType>)
    for (const std::size_t cut : {1, 9}) check_cut<TestType>(cut);
}

TEST_CASE("selected parameters have the same gradients as if all parameters were trained") {
  check_selections<PooledFrames, Last>();
  check_selections<AllFrames, Last, Outputs, Decays, Norms>();
  check_selections<Recurrences, Last>();
  check_selections<Tokens, Outputs>();
  check_selections<OneBlock, Decays, Norms>();
  check_selections<Language, Last, Outputs>();
  check_selections<Language2, Outputs>();
}

TEST_CASE("the gradient of an embedding has in each token's row the sum of its output gradients") {
  using Model = EmbeddingOnly;
  const auto model = random_model<Model>();
  const Window<Model> all;
  const auto gradients = std::make_unique<krait::Gradients<Model>>();
  krait::State<Model> state;
  Part<Model>(*model, all, state, 0, window).backward(*model, all, *gradients);
  std::vector<float> sums(70 * 18);
  for (std::size_t t = 0; t < window; ++t) {
    const auto token = static_cast<std::size_t>(all.xs[t]);
    for (std::size_t i = 0; i < 18 && token < 70; ++i) sums[token * 18 + i] += all.dys[t][i];
  }
  check_near(values_of(*model, *gradients).at("embedding.weight"), sums);
}
