// Trains a classifier of whole series from scratch, and saves it. The series are noisy tones; the class is the frequency.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/save.hpp>
#include <krait/train.hpp>

struct Parts {
  KRAIT_PARAMS(Parts,
    (krait::Linear<krait::LinearDims{.d_in = 2, .d_out = 16, .bias = true}>, linear_in),
    (std::array<krait::ResidualBlock<krait::resolve(krait::BlockDims{.d_model = 16, .d_state = 8})>, 2>, layers),
    (krait::MeanPool<16>, pool),
    (krait::Linear<krait::LinearDims{.d_in = 16, .d_out = 4, .bias = true}>, head));
};
using Tones = krait::Stack<Parts>;
constexpr std::size_t frames = 20, steps = 200, batch = 8, tests = 200;

struct Series {
  krait::Tensor<float, frames, 2> xs;
  int label;
};

// Returns series number i: a tone that turns by 0.15 (label + 1) radians from a frame to the next, with noise.
Series make_series(std::size_t i) {
  Series series{.xs = {}, .label = static_cast<int>(i % 4)};
  const krait::Key key = krait::split(krait::key(7), i);
  const float start = krait::uniform(key, 0, 0.0f, 6.28f);
  for (std::size_t t = 0; t < frames; ++t) {
    const float angle = start + 0.15f * static_cast<float>(series.label + 1) * static_cast<float>(t);
    series.xs[t] = {std::sin(angle) + 0.5f * krait::normal(key, 2 * t + 1),
                    std::cos(angle) + 0.5f * krait::normal(key, 2 * t + 2)};
  }
  return series;
}

// Returns how many series that are not used for training the model classifies correctly.
std::size_t count_right(const Tones& model) {
  std::size_t right = 0;
  for (std::size_t i = 0; i < tests; ++i) {
    const Series series = make_series(1'000'000 + i);
    const auto scores = krait::forward(model, series.xs);
    right += std::max_element(scores.begin(), scores.end()) - scores.begin() == series.label;
  }
  return right;
}

int main() {
  static Tones model;
  static krait::Tape<Tones, frames> tape;  // static: these objects may be too large for a stack
  static krait::Gradients<Tones> gradients;
  static krait::Moments<Tones> moments;
  krait::init_for_training(krait::key(1), model);
  std::printf("%zu parameters; gradients %zu, moments %zu, tape %zu bytes\n", krait::parameter_count<Tones>, sizeof(gradients),
              sizeof(moments), sizeof(tape));
  std::printf("before: %zu of %zu right\n", count_right(model), tests);
  float loss = 0.0f;  // the mean of the last 50 steps
  for (std::size_t step = 1; step <= steps; ++step) {
    krait::clear_gradients(gradients);
    for (std::size_t i = 0; i < batch; ++i) {
      const Series series = make_series(step * batch + i);
      krait::State<Tones> state;  // each series starts from a fresh state
      krait::Tensor<float, 4> scores;
      krait::record(model, state, series.xs, scores, tape);
      loss += krait::cross_entropy(scores, series.label, scores) / (50 * batch);  // scores now hold the gradient of the loss
      krait::backward(model, tape, scores, gradients);
    }
    krait::scale_gradients(gradients, 1.0f / batch);  // the mean of the series
    krait::clip_by_norm(gradients, 1.0f);
    krait::adamw(model, gradients, moments, {.rate = 5e-3f * krait::linear_schedule(step, 20, steps)});
    if (step % 50 == 0) std::printf("step %zu: loss %.2f nats\n", step, static_cast<double>(std::exchange(loss, 0.0f)));
  }
  std::printf("after: %zu of %zu right\n", count_right(model), tests);
  if (const krait::Status status = krait::save_file(model, "tones.safetensors"); !status.ok())
    return std::fprintf(stderr, "%s\n", status.message().c_str()), 1;
  std::puts("saved tones.safetensors");
}
