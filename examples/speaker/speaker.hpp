// Defines the model that recognises speakers, for host and firmware: uses no heap, files or exceptions.
#ifndef SPEAKER_HPP
#define SPEAKER_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include <krait.hpp>

namespace speaker {

inline constexpr std::size_t channels = 12;  // LPC cepstrum coefficients of 25.6 ms of speech, a frame every 6.4 ms
inline constexpr std::size_t speakers = 9;
using Frame = krait::Tensor<float, channels>;
using Scores = krait::Tensor<float, speakers>;

// The dims are chosen so that only the classifier has padding: x_proj has dt_rank + 2 d_state = 16 rows, and there are 64
// channels, which are multiples of 16.
constexpr krait::BlockDims block(krait::Storage storage) {
  return krait::resolve(krait::BlockDims{.d_model = 32, .d_state = 7, .dt_rank = 2, .storage = storage});
}

template <krait::Storage storage>
struct Parts {
  KRAIT_PARAMS(Parts,
    (krait::Linear<krait::LinearDims{.d_in = channels, .d_out = 32, .bias = true, .storage = storage}>, linear_in),
    (std::array<krait::ResidualBlock<block(storage)>, 1>, layers),
    (krait::RmsNorm<krait::NormDims{.d_model = 32}>, norm_f),
    (krait::MeanPool<32>, pool),  // the mean over the frames so far
    (krait::Linear<krait::LinearDims{.d_in = 32, .d_out = speakers, .bias = true, .storage = storage}>, classifier));
};
template <krait::Storage storage = krait::Storage::f32>
using Model = krait::Stack<Parts<storage>>;

static_assert(krait::parameter_count<Model<>> <= 10'000);

// Returns the number of the speaker with the highest score, 0 to 8, or the first such speaker if several have this score.
inline std::size_t likeliest(const Scores& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

// Runs the model on a whole series, frame by frame, from a fresh state. Returns the likeliest speaker, and writes the scores of
// all nine speakers to `scores`. Calls after(frame number, scores) after each frame, with the scores so far.
template <class M, class After>
std::size_t classify(const M& model, krait::State<M>& state, krait::Scratch<M>& scratch, std::span<const Frame> series,
                     Scores& scores, After after) {
  state = {};
  scores = {};
  for (std::size_t i = 0; i < series.size(); ++i) {
    krait::step(model, state, series[i], scores, scratch);
    after(i, scores);
  }
  return likeliest(scores);
}
template <class M>
std::size_t classify(const M& model, krait::State<M>& state, krait::Scratch<M>& scratch, std::span<const Frame> series,
                     Scores& scores) {
  return classify(model, state, scratch, series, scores, [](std::size_t, const Scores&) {});
}

}  // namespace speaker

#endif
