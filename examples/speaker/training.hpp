// Trains the speaker model: the recipe, the augmentation of series, and the evaluation.
#ifndef TRAINING_HPP
#define TRAINING_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>
#include <vector>

#include <krait/init.hpp>
#include <krait/train.hpp>

#include "series.hpp"

namespace speaker {

// The settings of training. The defaults were chosen by cross-validation (README.md).
struct Recipe {
  std::size_t epochs = 100, batch = 45, warmup = 50;  // batch: series in a step; warmup: steps until the full rate
  float rate = 5e-3f, weight_decay = 0.05f, smoothing = 0.1f;
  float dropout = 0.3f;  // the share of channels that are 0 during a series: inputs of the block, and of the classifier
  float crop = 0.15f;    // the largest share of a series that is cut off at each end
  float warp = 0.2f;     // the logarithm of the largest change of a series' length
  float stretch = 0.05f, shift = 0.4f;  // standard deviations of a channel's factor and of its offset, the same for all frames
  float noise = 0.1f;                   // standard deviation of the noise in each number
  std::uint64_t seed = 0;
};

// A sequence of random numbers.
struct Random {
  krait::Key key;
  std::uint64_t drawn = 0;
  float uniform(float lo = 0.0f, float hi = 1.0f) { return krait::uniform(key, drawn++, lo, hi); }
  float normal() { return krait::normal(key, drawn++); }
  std::size_t below(std::size_t n) { return std::min(n - 1, static_cast<std::size_t>(uniform() * static_cast<float>(n))); }
};

inline constexpr std::size_t longest = 36;  // frames of an augmented series
using Frames = std::vector<Frame>;

// Returns a series cropped and stretched in time, with channels shifted and scaled, as by another microphone, and with noise.
inline Frames augmented(const Frames& series, const Recipe& recipe, Random& random) {
  const float begin = recipe.crop * random.uniform(), end = 1.0f - recipe.crop * random.uniform();
  const auto last = static_cast<float>(series.size() - 1);
  const float steps = std::round(last * (end - begin) * std::exp(recipe.warp * random.uniform(-1.0f, 1.0f)));
  Frames result(static_cast<std::size_t>(std::clamp(steps, 6.0f, static_cast<float>(longest - 1))) + 1);
  for (std::size_t t = 0; t < result.size(); ++t) {
    const float at = (static_cast<float>(t) / static_cast<float>(result.size() - 1) * (end - begin) + begin) * last;
    const std::size_t low = std::min(static_cast<std::size_t>(at), series.size() - 2);
    const float part = at - static_cast<float>(low);
    for (std::size_t c = 0; c < channels; ++c) result[t][c] = std::lerp(series[low][c], series[low + 1][c], part);
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const float factor = 1.0f + recipe.stretch * random.normal(), offset = recipe.shift * random.normal();
    for (Frame& frame : result) frame[c] = frame[c] * factor + offset + recipe.noise * random.normal();
  }
  return result;
}

// The parameters that are trained. The weights of the norms are not, because a linear layer follows each norm. They implement
// dropout instead: for each series, some of them are 0.
struct Trained {
  static constexpr bool trains(std::string_view name) { return !name.ends_with("norm.weight") && name != "norm_f.weight"; }
};

// Sets the weight of a norm for one series: a share of the elements to 0, and the others such that the mean stays 1.
inline void drop(auto& weight, float share, Random& random) {
  krait::assign(weight, [&](std::size_t, std::size_t) { return random.uniform() < share ? 0.0f : 1.0f / (1.0f - share); });
}

inline void fill(auto& tensor, float value) {
  krait::assign(tensor, [=](std::size_t, std::size_t) { return value; });
}

// Sets the initial weights: linear layers and conv1d as krait::init, but the biases of linear_in and classifier to 0; A_log and
// the bias of dt_proj as mamba-ssm, but with delta from 0.01 to 0.5, because the series are short.
inline void initialise(krait::Key key, Model<>& model) {
  krait::init(key, model);
  auto& ssm = model.layers[0].mixer.ssm;
  krait::assign(ssm.A_log, [](std::size_t, std::size_t n) { return std::log(static_cast<float>(n + 1)); });
  krait::assign(ssm.dt_proj.bias, [random = Random{krait::split(key, 100)}](std::size_t, std::size_t) mutable {
    const float dt = std::exp(random.uniform(std::log(0.01f), std::log(0.5f)));
    return dt + std::log(-std::expm1(-dt));  // the inverse of softplus
  });
  fill(model.linear_in.bias, 0.0f);
  fill(model.classifier.bias, 0.0f);
}

// Each channel's mean and standard deviation over all frames.
struct Statistics {
  Frame mean{}, deviation{};
};
inline Statistics statistics_of(std::span<const Series> all) {
  Statistics found;
  for (std::size_t c = 0; c < channels; ++c) {
    double count = 0.0, sum = 0.0, squares = 0.0;
    for (const Series& series : all)
      for (const Frame& frame : series.frames) count += 1.0, sum += frame[c], squares += frame[c] * frame[c];
    found.mean[c] = static_cast<float>(sum / count);
    found.deviation[c] = static_cast<float>(std::sqrt(squares / count - sum / count * (sum / count)));
  }
  return found;
}

// Trains a model from its initial weights. Calls after(epoch, loss in nats) after each epoch. The same arguments give the same
// bits on every machine with fused multiply-add and the same C library.
template <class After>
void train(std::span<const Series> all, const Recipe& recipe, Model<>& model, After after) {
  static krait::Gradients<Model<>, Trained> gradients;
  static krait::Tape<Model<>, longest, Trained> tape;
  static krait::Moments<Model<>, Trained> moments;
  moments = {};
  const Statistics statistics = statistics_of(all);
  std::vector<Series> standardised(all.begin(), all.end());
  for (Series& series : standardised)
    for (Frame& frame : series.frames)
      for (std::size_t c = 0; c < channels; ++c) frame[c] = (frame[c] - statistics.mean[c]) / statistics.deviation[c];

  Random random{krait::key(recipe.seed)};
  initialise(krait::split(random.key, 1), model);
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const std::size_t batches = (all.size() + recipe.batch - 1) / recipe.batch, steps = recipe.epochs * batches;
  float loss = 0.0f;
  for (std::size_t step = 0; step < steps; ++step) {
    if (step % batches == 0) {
      for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
      loss = 0.0f;
    }
    krait::clear_gradients(gradients);
    std::size_t count = 0;
    for (std::size_t i = step % batches; i < order.size(); i += batches, ++count) {
      const Series& series = standardised[order[i]];
      drop(model.layers[0].norm.weight, recipe.dropout, random);
      drop(model.norm_f.weight, recipe.dropout, random);
      krait::State<Model<>> state;
      Scores scores;
      krait::record(model, state, augmented(series.frames, recipe, random), scores, tape);
      loss += krait::cross_entropy(scores, series.speaker, scores, recipe.smoothing) / static_cast<float>(all.size());
      krait::backward(model, tape, scores, gradients);
    }
    krait::scale_gradients(gradients, 1.0f / static_cast<float>(count));
    krait::clip_by_norm(gradients, 1.0f);
    krait::adamw(model, gradients, moments, {.rate = recipe.rate * krait::linear_schedule(step + 1, recipe.warmup, steps),
                                             .beta2 = 0.98f, .weight_decay = recipe.weight_decay});
    if ((step + 1) % batches == 0) after((step + 1) / batches, loss);
  }
  fill(model.layers[0].norm.weight, 1.0f);
  fill(model.norm_f.weight, 1.0f);
  // The standardisation becomes part of linear_in, so that the model takes frames as they are.
  auto& in = model.linear_in;
  for (std::size_t row = 0; row < decltype(in.bias)::rows; ++row) {
    float bias = in.bias.get(row);
    for (std::size_t c = 0; c < channels; ++c) {
      const float weight = in.weight.get(row, c) / statistics.deviation[c];
      in.weight.set(row, c, weight);
      bias -= weight * statistics.mean[c];
    }
    in.bias.set(row, 0, bias);
  }
}

// The number of series that a model classifies wrongly, and the sum of -log p(speaker) in nats.
struct Evaluation {
  std::size_t wrong = 0;
  double nats = 0.0;
};
inline Evaluation evaluate(const Model<>& model, std::span<const Series> all) {
  static krait::Scratch<Model<>> scratch;
  Evaluation found;
  for (const Series& series : all) {
    krait::State<Model<>> state;
    Scores scores;
    found.wrong += classify(model, state, scratch, series.frames, scores) != series.speaker;
    found.nats -= static_cast<double>(krait::log_probability(scores, series.speaker));
  }
  return found;
}

// Returns the series of a fold of `count` folds, or the series of all other folds. Neighbouring series of a speaker are in the
// same fold, because they are similar.
inline std::vector<Series> part_of(std::span<const Series> all, std::size_t fold, std::size_t count, bool of_fold) {
  std::array<std::size_t, speakers> total{}, seen{};
  for (const Series& series : all) ++total[series.speaker];
  std::vector<Series> part;
  for (const Series& series : all)
    if ((seen[series.speaker]++ * count / total[series.speaker] == fold) == of_fold) part.push_back(series);
  return part;
}

}  // namespace speaker

#endif
