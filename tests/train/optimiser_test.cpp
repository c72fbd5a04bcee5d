// Tests of losses, optimisers and the other functions on gradients, against the same formulas in double.
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include <catch2/catch.hpp>

#include <krait.hpp>
#include <krait/convert.hpp>
#include <krait/init.hpp>
#include <krait/load.hpp>
#include <krait/save.hpp>
#include <krait/train.hpp>

namespace {

constexpr auto dims = krait::resolve({.vocab_size = 21, .d_model = 18, .n_layers = 2, .d_state = 3, .in_bias = true});
using Model = krait::Mamba<dims>;
struct Hidden {
  static constexpr bool trains(std::string_view name) {
    return name.ends_with("in_proj.weight") || name.ends_with("x_proj.weight") || name.ends_with("out_proj.weight");
  }
};
struct Others {
  static constexpr bool trains(std::string_view name) { return !Hidden::trains(name); }
};

float draw(std::size_t i) { return krait::normal(krait::key(3), i); }

// Fills gradients with random numbers; their padding is 0.
template <class M, class Trained, class Value>
void fill_with(const M& model, krait::Gradients<M, Trained>& gradients, Value value) {
  krait::clear_gradients(gradients);
  krait::for_each_gradient(model, gradients, [&](std::string_view, const auto& gradient) {
    auto& tensor = const_cast<std::remove_cvref_t<decltype(gradient)>&>(gradient);
    for (std::size_t row = 0; row < tensor.rows; ++row)
      for (std::size_t col = 0; col < tensor.cols; ++col) tensor.set(row, col, value());
  });
}
template <class Trained>
void fill(const Model& model, krait::Gradients<Model, Trained>& gradients, std::size_t& draws) {
  fill_with(model, gradients, [&] { return 0.1f * draw(draws++); });
}
// Returns the elements of a model's parameters, or of its gradients, by name.
using Numbers = std::vector<std::pair<std::string, std::vector<double>>>;
template <class T>
void append(Numbers& all, std::string_view name, const T& tensor) {
  all.emplace_back(name, std::vector<double>{});
  for (std::size_t row = 0; row < T::rows; ++row)
    for (std::size_t col = 0; col < T::cols; ++col) all.back().second.push_back(static_cast<double>(tensor.get(row, col)));
}
template <class M>
Numbers numbers_of(const M& model) {
  Numbers all;
  krait::for_each_param(model, [&](std::string_view name, const auto& tensor) { append(all, name, tensor); });
  return all;
}
template <class Trained>
Numbers numbers_of(const Model& model, const krait::Gradients<Model, Trained>& gradients) {
  Numbers all;
  krait::for_each_gradient(model, gradients, [&](std::string_view name, const auto& tensor) { append(all, name, tensor); });
  return all;
}
double difference(double a, double b) { return std::fabs(a - b); }

}  // namespace

TEST_CASE("cross_entropy and its gradient agree with a computation in double") {
  constexpr std::size_t n = 21, tokens = 5;
  krait::Tensor<float, tokens, n> logits, d;
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t i = 0; i < n; ++i) logits[t][i] = 4.0f * draw(t * n + i);
  const std::array<int, tokens> targets{3, -1, 20, 0, -100};  // the second and the last do not count
  for (const float smoothing : {0.0f, 0.2f}) {
    const float loss = krait::cross_entropy(logits, targets, d, smoothing);
    double wanted = 0.0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const bool counts = targets[t] >= 0;
      double sum = 0.0;
      for (std::size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(logits[t][i]));
      for (std::size_t i = 0; i < n; ++i) {
        const double spread = static_cast<double>(smoothing);
        const double q = spread / n + (static_cast<int>(i) == targets[t] ? 1.0 - spread : 0.0);
        const double p = std::exp(static_cast<double>(logits[t][i])) / sum;
        if (counts) wanted -= q * std::log(p) / 3;
        CHECK(difference(static_cast<double>(d[t][i]), counts ? (p - q) / 3 : 0.0) < 2e-7);
      }
    }
    CHECK(difference(static_cast<double>(loss), wanted) < 2e-6);
    auto in_place = logits;
    CHECK(krait::cross_entropy(in_place, targets, in_place, smoothing) == loss);
    CHECK(in_place == d);
  }
  krait::Tensor<float, n> one;
  const float loss = krait::cross_entropy(logits[2], 20, one);
  CHECK(difference(static_cast<double>(loss), -static_cast<double>(krait::log_probability(logits[2], 20))) < 2e-6);
  CHECK(krait::cross_entropy(logits[2], -1, one) == 0.0f);
  CHECK(one == krait::Tensor<float, n>{});
}

TEST_CASE("cross_entropy is right if the largest logit is the last, and so large that its exponential is no float") {
  krait::Tensor<float, 21> logits, d;
  for (std::size_t i = 0; i < 21; ++i) logits[i] = 4.0f * draw(i);
  logits[20] = 150.0f;
  const double wanted = 150.0 - static_cast<double>(logits[3]);  // the other exponentials are below 1e-58 of the largest
  CHECK(difference(static_cast<double>(krait::cross_entropy(logits, 3, d)), wanted) < 2e-6 * wanted);
  CHECK(d[20] == 1.0f);
  CHECK(d[3] == -1.0f);
  CHECK(krait::cross_entropy(logits, 20, d) == 0.0f);
}

TEST_CASE("cross_entropy returns NaN if a target is not in the vocabulary, and the gradient of that token's logits is 0") {
  krait::Tensor<float, 2, 3> logits{0.5f, 1.0f, -1.0f, 0.1f, 0.2f, 0.3f}, d;
  for (const unsigned target : {3u, 1000u}) {
    CHECK(std::isnan(krait::cross_entropy(logits, std::array<unsigned, 2>{1, target}, d)));
    CHECK(d[1] == krait::Tensor<float, 3>{});
    CHECK(d[0][1] < 0.0f);
    CHECK(std::isnan(krait::cross_entropy(logits[0], target, d[0])));
    CHECK(d[0] == krait::Tensor<float, 3>{});
  }
}

TEST_CASE("the gradient of an output without target is 0") {
  krait::Tensor<float, 3, 2> outputs{0.5f, 1.0f, 0.1f, 0.2f, 3.0f, 4.0f};
  auto scores = outputs;
  krait::cross_entropy(scores, std::array{1, 0}, scores);
  CHECK(scores[2] == krait::Tensor<float, 2>{});
  krait::squared_error(outputs, krait::Tensor<float, 2, 2>{}, outputs);
  CHECK(outputs[2] == krait::Tensor<float, 2>{});
}

TEST_CASE("squared_error and its gradient agree with a computation in double") {
  krait::Tensor<float, 3, 19> y, target, d;
  double wanted = 0.0;
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t i = 0; i < 19; ++i) {
      y[t][i] = draw(t * 19 + i), target[t][i] = draw(1000 + t * 19 + i);
      wanted += std::pow(static_cast<double>(y[t][i]) - static_cast<double>(target[t][i]), 2) / 57;
    }
  CHECK(difference(static_cast<double>(krait::squared_error(y, target, d)), wanted) < 1e-6);
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t i = 0; i < 19; ++i)
      CHECK(difference(static_cast<double>(d[t][i]),
                       2.0 / 57 * (static_cast<double>(y[t][i]) - static_cast<double>(target[t][i]))) < 1e-8);
  CHECK(krait::squared_error(y[0], target[0], d[0]) > 0.0f);
}

TEST_CASE("adamw agrees with AdamW computed in double, and does not change weights that are not trained") {
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(1)));
  const auto gradients = std::make_unique<krait::Gradients<Model>>();
  const auto moments = std::make_unique<krait::Moments<Model, Others>>();
  Numbers wanted = numbers_of(*model);
  std::vector<std::vector<double>> m, v;
  for (const auto& [name, numbers] : wanted) m.emplace_back(numbers.size()), v.emplace_back(numbers.size());
  std::size_t draws = 0;
  const krait::AdamW settings{.rate = 0.01f, .beta1 = 0.8f, .beta2 = 0.9f, .eps = 1e-3f, .weight_decay = 0.5f};
  for (int step = 1; step <= 5; ++step) {
    fill(*model, *gradients, draws);
    krait::adamw(*model, *gradients, *moments, settings);
    const Numbers g = numbers_of(*model, *gradients);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      REQUIRE(wanted[i].first == g[i].first);
      if (Hidden::trains(wanted[i].first)) continue;
      const bool decays = wanted[i].first.ends_with("dt_proj.weight") || wanted[i].first.ends_with("embedding.weight");
      for (std::size_t j = 0; j < g[i].second.size(); ++j) {
        const double gradient = g[i].second[j];
        m[i][j] = 0.8 * m[i][j] + 0.2 * gradient;
        v[i][j] = 0.9 * v[i][j] + 0.1 * gradient * gradient;
        const double change = m[i][j] / (1 - std::pow(0.8, step)) / (std::sqrt(v[i][j] / (1 - std::pow(0.9, step))) + 1e-3);
        wanted[i].second[j] = wanted[i].second[j] * (decays ? 1 - 0.01 * 0.5 : 1.0) - 0.01 * change;
      }
    }
  }
  const Numbers found = numbers_of(*model);
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO(found[i].first);
    double worst = 0.0;
    for (std::size_t j = 0; j < found[i].second.size(); ++j)
      worst = std::max(worst, difference(found[i].second[j], wanted[i].second[j]));
    CHECK(worst < (Hidden::trains(found[i].first) ? 1e-30 : 2e-6));
  }
}

TEST_CASE("the first step of adamw changes every parameter of Mamba-2, also A_log, by the learning rate") {
  constexpr auto dims2 = krait::resolve(krait::Mamba2Dims{.vocab_size = 21, .d_model = 18, .n_layers = 1, .d_state = 3,
                                                          .d_inner = 36, .headdim = 12});
  using Model2 = krait::Mamba2<dims2>;
  const auto model = std::make_unique<Model2>(krait::init<Model2>(krait::key(1)));
  const auto gradients = std::make_unique<krait::Gradients<Model2>>();
  const auto moments = std::make_unique<krait::Moments<Model2>>();
  const Numbers before = numbers_of(*model);
  fill_with(*model, *gradients, [] { return 0.5f; });
  krait::adamw(*model, *gradients, *moments, {.rate = 0.01f, .weight_decay = 0.0f});
  const Numbers after = numbers_of(*model);
  for (std::size_t i = 0; i < before.size(); ++i) {
    INFO(before[i].first);
    double worst = 0.0;
    for (std::size_t j = 0; j < before[i].second.size(); ++j)
      worst = std::max(worst, difference(after[i].second[j], before[i].second[j] - 0.01));
    CHECK(worst < 2e-6);
  }
}

TEST_CASE("adamw keeps decay rates finite") {
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(1)));
  const auto gradients = std::make_unique<krait::Gradients<Model>>();
  const auto moments = std::make_unique<krait::Moments<Model>>();
  fill_with(*model, *gradients, [] { return -0.5f; });  // A_log grows by 40 at each step
  for (int step = 0; step < 4; ++step) krait::adamw(*model, *gradients, *moments, {.rate = 40.0f, .weight_decay = 0.0f});
  krait::for_each_param(*model, [](std::string_view name, const auto& tensor) {
    if (!name.ends_with("A_log")) return;
    for (const float stored : tensor.values) CHECK(std::isfinite(stored));
  });
}

TEST_CASE("muon does not change weights whose gradients are zero") {
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(1)));
  const auto memory = std::make_unique<krait::MuonMemory<Model, Hidden>>();
  const auto before = *model;
  krait::muon(*model, krait::Gradients<Model>{}, *memory, {});
  CHECK(std::memcmp(&before, model.get(), sizeof(before)) == 0);
}

TEST_CASE("converting a trained model to f32 copies every bit, and saving it a second time changes nothing") {
  static Model model, copy, once, twice;
  krait::init_for_training(krait::key(1), model);
  static krait::Gradients<Model> gradients;
  static krait::Moments<Model> moments;
  std::size_t draws = 0;
  for (int step = 0; step < 20; ++step) {
    fill(model, gradients, draws);
    krait::adamw(model, gradients, moments, {.rate = 0.01f});
  }
  krait::convert(model, copy);
  CHECK(std::memcmp(&model, &copy, sizeof(Model)) == 0);
  REQUIRE(krait::load(krait::save(model), once).ok());
  REQUIRE(krait::load(krait::save(once), twice).ok());
  CHECK(std::memcmp(&once, &twice, sizeof(Model)) == 0);
  // A rate A changes by at most one unit in the last place of A_log, which is at most log(2) + 3 here.
  for (std::size_t channel = 0; channel < dims.d_inner; ++channel)
    for (std::size_t n = 0; n < dims.d_state; ++n) {
      const auto rate = [&](const Model& m) { return m.backbone.layers[0].mixer.ssm.A_log.values; };
      CHECK(std::fabs(rate(model)[n] / rate(once)[n] - 1.0f) < 5e-7f);
    }
}

TEST_CASE("clear_moments makes moments those of a new object") {
  static Model model = krait::init<Model>(krait::key(1));
  static krait::Gradients<Model> gradients;
  static krait::Moments<Model> moments;
  static const krait::Moments<Model> fresh;
  std::size_t draws = 0;
  fill(model, gradients, draws);
  krait::adamw(model, gradients, moments, {});
  CHECK(std::memcmp(&moments, &fresh, sizeof(moments)) != 0);
  krait::clear_moments(moments);
  CHECK(std::memcmp(&moments, &fresh, sizeof(moments)) == 0);
}

TEST_CASE("muon agrees with Muon computed in double, and does not change weights that its memory does not select") {
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(1)));
  const auto gradients = std::make_unique<krait::Gradients<Model>>();
  const auto memory = std::make_unique<krait::MuonMemory<Model, Hidden>>();
  std::vector<std::vector<double>> mean;
  for (const auto& [name, numbers] : numbers_of(*model)) mean.emplace_back(numbers.size());
  std::size_t draws = 0;
  for (int step = 1; step <= 2; ++step) {
    fill(*model, *gradients, draws);
    const Numbers before = numbers_of(*model), g = numbers_of(*model, *gradients);
    krait::muon(*model, *gradients, *memory, {.rate = 0.02f, .momentum = 0.9f, .weight_decay = 0.1f});
    const Numbers found = numbers_of(*model);
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO(found[i].first);
      if (!Hidden::trains(found[i].first)) {
        CHECK(found[i].second == before[i].second);
        continue;
      }
      const std::size_t cols = found[i].first.ends_with("in_proj.weight") ? 18 : 36, rows = found[i].second.size() / cols;
      std::vector<double> x(rows * cols), square(rows * rows), next(rows * cols);
      double norm = 0.0;
      for (std::size_t j = 0; j < x.size(); ++j) {
        mean[i][j] += 0.1 * (g[i].second[j] - mean[i][j]);
        x[j] = g[i].second[j] + 0.9 * (mean[i][j] - g[i].second[j]);
        norm += x[j] * x[j];
      }
      for (double& value : x) value /= std::sqrt(norm);
      const auto product = [&](const auto& a, const auto& b, std::size_t n, std::size_t k, std::size_t m,
                               auto& to) {  // [n,k] [k,m]
        to.assign(n * m, 0.0);
        for (std::size_t r = 0; r < n; ++r)
          for (std::size_t j = 0; j < k; ++j)
            for (std::size_t c = 0; c < m; ++c) to[r * m + c] += a[r * k + j] * b[j * m + c];
      };
      for (int iteration = 0; iteration < 5; ++iteration) {
        std::vector<double> turned(x.size()), cube, fifth;
        for (std::size_t r = 0; r < rows; ++r)
          for (std::size_t c = 0; c < cols; ++c) turned[c * rows + r] = x[r * cols + c];
        product(x, turned, rows, cols, rows, square);
        product(square, x, rows, rows, cols, cube);
        product(square, cube, rows, rows, cols, fifth);
        for (std::size_t j = 0; j < x.size(); ++j) x[j] = 3.4445 * x[j] - 4.7750 * cube[j] + 2.0315 * fifth[j];
      }
      double worst = 0.0;
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double size = 0.02 * 0.2 * std::sqrt(static_cast<double>(std::max(rows, cols)));
        worst = std::max(worst, difference(found[i].second[j], before[i].second[j] * (1 - 0.02 * 0.1) - size * x[j]));
      }
      CHECK(worst < 2e-6);
    }
  }
}

TEST_CASE("gradient norms agree with double, and clip_by_norm scales gradients only if their norm exceeds the limit") {
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(1)));
  const auto gradients = std::make_unique<krait::Gradients<Model>>(), sum = std::make_unique<krait::Gradients<Model>>();
  std::size_t draws = 0;
  fill(*model, *gradients, draws);
  double squares = 0.0;
  for (const auto& [name, numbers] : numbers_of(*model, *gradients))
    for (const double x : numbers) squares += x * x;
  const float norm = krait::gradient_norm(*gradients);
  CHECK(difference(static_cast<double>(norm), std::sqrt(squares)) < 1e-5 * std::sqrt(squares));
  krait::add_gradients(*sum, *gradients);
  CHECK(krait::clip_by_norm(*sum, 2.0f * norm) == norm);
  CHECK(std::memcmp(sum.get(), gradients.get(), sizeof(*sum)) == 0);
  CHECK(krait::clip_by_norm(*sum, 0.5f) == norm);
  CHECK(difference(static_cast<double>(krait::gradient_norm(*sum)), 0.5) < 1e-6);
  krait::add_gradients(*sum, *sum);
  CHECK(difference(static_cast<double>(krait::gradient_norm(*sum)), 1.0) < 1e-6);
  krait::clear_gradients(*sum);
  CHECK(krait::gradient_norm(*sum) == 0.0f);
}

TEST_CASE("accumulate adds the gradients of all windows in their order, for any number of workers") {
  constexpr std::size_t windows = 5;
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(1)));
  const auto wanted = std::make_unique<krait::Gradients<Model>>(), found = std::make_unique<krait::Gradients<Model>>();
  const auto start = std::make_unique<krait::Gradients<Model>>(), one = std::make_unique<krait::Gradients<Model>>();
  std::size_t draws = 0;
  fill(*model, *start, draws);
  const auto fill_window = [&](krait::Gradients<Model>& gradients, std::size_t i) {
    std::size_t draws_of_window = (i + 1) * 100000;
    fill(*model, gradients, draws_of_window);
  };
  *wanted = *start;
  for (std::size_t i = 0; i < windows; ++i) {
    fill_window(*one, i);
    krait::add_gradients(*wanted, *one);
  }
  for (const std::size_t count : {1, 2, 5, 7}) {
    std::vector<krait::Worker<Model, 1>> workers(count);
    *found = *start;
    krait::accumulate(windows, workers, *found, [&](auto& worker, std::size_t i) {
      CHECK(krait::gradient_norm(worker.gradients) == 0.0f);
      fill_window(worker.gradients, i);
    });
    CHECK(std::memcmp(found.get(), wanted.get(), sizeof(*found)) == 0);
  }
}

TEST_CASE("linear_schedule rises linearly to 1, and then falls linearly towards 0") {
  CHECK(krait::linear_schedule(1, 4, 10) == 0.25f);
  CHECK(krait::linear_schedule(4, 4, 10) == 1.0f);
  CHECK(krait::linear_schedule(10, 4, 10) == 1.0f / 7.0f);
  CHECK(krait::linear_schedule(11, 4, 10) == 0.0f);
  CHECK(krait::linear_schedule(1, 0, 2) == 2.0f / 3.0f);
}

TEST_CASE("backward adds to the gradients that it is given, and uses 0 for missing output gradients") {
  const auto model = std::make_unique<Model>(krait::init<Model>(krait::key(1)));
  const auto tape = std::make_unique<krait::Tape<Model, 6>>();
  const auto once = std::make_unique<krait::Gradients<Model>>(), twice = std::make_unique<krait::Gradients<Model>>();
  const std::array<char, 9> text{"krait is"};
  krait::Tensor<float, 6, 21> logits, d{};
  krait::State<Model> state;
  CHECK(krait::record(*model, state, std::span<const char>(text), logits, *tape) == 6);
  d[0][3] = 1.0f, d[1][4] = -2.0f;
  krait::backward(*model, *tape, std::span(d).first<2>(), *once);
  for (int i = 0; i < 2; ++i) {
    state = {};
    CHECK(krait::record(*model, state, std::span(text).first<4>(), logits, *tape) == 4);
    krait::backward(*model, *tape, d, *twice);
  }
  const Numbers one = numbers_of(*model, *once), two = numbers_of(*model, *twice);
  for (std::size_t i = 0; i < one.size(); ++i)
    for (std::size_t j = 0; j < one[i].second.size(); ++j)
      CHECK(difference(2 * one[i].second[j], two[i].second[j]) <= 1e-5 * std::max(1e-3, std::fabs(two[i].second[j])));
  CHECK(krait::record(*model, state, std::array<int, 0>{}, logits, *tape) == 0);
  const auto kept = *twice;
  krait::backward(*model, *tape, d, *twice);
  CHECK(std::memcmp(&kept, twice.get(), sizeof(kept)) == 0);
}
