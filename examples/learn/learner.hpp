// Teaches the speaker model a new voice in place, on a host or on a board. All memory is in one object; nothing is allocated.
#ifndef LEARNER_HPP
#define LEARNER_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <krait.hpp>
#include <krait/image.hpp>
#include <krait/train.hpp>

#include "../speaker/speaker.hpp"

namespace learn {

using speaker::Frame;

// The parameters that the device trains. All others keep their bits.
struct Learned {
  static constexpr bool trains(std::string_view name) {
    return name.starts_with("classifier.") || name.ends_with("out_proj.weight");
  }
};

// The frames that learning uses of an utterance. The longest of the 270 utterances for training has 26.
inline constexpr std::size_t window = 26;

struct Utterance {
  std::span<const Frame> frames;
  std::size_t speaker;
};

// The settings were chosen by cross-validation (README.md).
struct Settings {
  std::size_t passes = 40;  // how often each utterance of the new voice is used
  std::size_t old = 4;      // utterances of old voices in each step, beside one of the new voice
  float rate = 0.003f, weight_decay = 0.01f, smoothing = 0.1f;
  float shift = 0.6f;  // largest offset of a channel, in standard deviations
};

// The standard deviation of each channel over the training utterances of the first eight voices.
inline constexpr Frame deviation{{0.50f, 0.40f, 0.31f, 0.31f, 0.26f, 0.17f, 0.16f, 0.18f, 0.19f, 0.12f, 0.10f, 0.13f}};

// All memory of learning, apart from the stack. The model is a part of the image that is saved afterwards.
template <class Model>
struct Memory {
  krait::Image<Model> image;
  krait::Gradients<Model, Learned> gradients;
  krait::Moments<Model, Learned> moments;
  krait::Tape<Model, window, Learned> tape;
  krait::State<Model> state;
  std::array<Frame, window> frames;
};

// A course of learning from the utterances `fresh` of one new voice, at least one. Each step uses one of them and some of the
// utterances `old` of the voices that the model knows already, in turn, so that it does not forget these. `old` may be empty
// only if settings.old is 0. Allocates nothing, throws nothing.
template <class Model>
class Course {
 public:
  Course(Memory<Model>& memory, std::span<const Utterance> fresh, std::span<const Utterance> old, const Settings& settings)
      : memory_(memory), fresh_(fresh), old_(old), settings_(settings) {
    krait::clear_moments(memory.moments);
    // The new voice starts with a score of 0, because the model of the old voices gives it a low score for every input.
    auto& classifier = memory.image.model.classifier;
    const std::size_t speaker = fresh.front().speaker;
    constexpr std::size_t features = std::remove_reference_t<decltype(classifier)>::d_in;
    for (std::size_t i = 0; i < features; ++i) classifier.weight.set(speaker, i, 0.0f);
    classifier.bias.set(speaker, 0, 0.0f);
  }
  std::size_t steps() const { return settings_.passes * fresh_.size(); }

  // Makes the next step. At most steps() calls are useful: the learning rate is 0 afterwards.
  void step() {
    krait::clear_gradients(memory_.gradients);
    study(fresh_[step_ % fresh_.size()]);
    for (std::size_t i = 0; i < settings_.old; ++i) study(old_[studied_old_++ % old_.size()]);
    krait::scale_gradients(memory_.gradients, 1.0f / static_cast<float>(1 + settings_.old));
    ++step_;
    const float rate = settings_.rate * krait::linear_schedule(step_, 1, steps());
    krait::adamw(memory_.image.model, memory_.gradients, memory_.moments,
                 {.rate = rate, .weight_decay = settings_.weight_decay});
  }

 private:
  // Adds the gradient of an utterance, of which every channel is shifted by a random constant, as by another microphone.
  void study(const Utterance& utterance) {
    const auto frames = std::span(memory_.frames).first(std::min(utterance.frames.size(), window));
    for (std::size_t c = 0; c < speaker::channels; ++c) {
      const float draw = krait::uniform(krait::key(0), draws_++, -1.0f, 1.0f);
      const float offset = krait::opaque(deviation[c] * (settings_.shift * draw));  // opaque: not fused with the addition
      for (std::size_t t = 0; t < frames.size(); ++t) frames[t][c] = utterance.frames[t][c] + offset;
    }
    memory_.state = {};
    speaker::Scores scores;
    krait::record(memory_.image.model, memory_.state, frames, scores, memory_.tape);
    krait::cross_entropy(scores, utterance.speaker, scores, settings_.smoothing);
    krait::backward(memory_.image.model, memory_.tape, scores, memory_.gradients);
  }

  Memory<Model>& memory_;
  std::span<const Utterance> fresh_, old_;
  Settings settings_;
  std::size_t step_ = 0, studied_old_ = 0;
  std::uint64_t draws_ = 0;
};

}  // namespace learn

#endif
