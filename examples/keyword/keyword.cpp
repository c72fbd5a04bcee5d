// Computes the scores of ten spoken words from 100 frames of 40 features, one frame at a time. The model has the shape of
// MambaLite-Micro's: one Mamba block between two linear layers, and the mean over time. Prints the scores of two recordings,
// the ticks of each inference, and the memory. tests/device/keyword_example.py packs the weights and runs the program, and
// tests/device/baby_mamba.py runs it with a model of a motion sensor.
#include "../firmware/firmware.hpp"

#ifndef KEYWORD_WEIGHTS
#define KEYWORD_WEIGHTS "keyword_int8.hpp"  // made by krait pack --type int8 --name keyword
#endif
#include <krait.hpp>

#include KEYWORD_WEIGHTS
#include "recordings.hpp"  // two recordings [frames, d_in], and how many frames of each to process

namespace {

using keyword::Model;
using Scores = krait::Tensor<float, Model::d_out>;

constinit krait::State<Model> state{};
constinit krait::Scratch<Model> scratch{};

// Runs one inference: processes a recording frame by frame, as frames come from a microphone, and computes the scores after the
// last frame. Returns the ticks of the counter that the steps took.
std::uint32_t listen(const recordings::Recording& recording, Scores& scores) {
  state = {};
  std::uint32_t total = 0;
  for (std::size_t t = 0; t < recordings::frames; ++t) {
    const std::uint32_t before = firmware::ticks();
    if (t + 1 < recordings::frames) krait::step(keyword::model(), state, recording[t], krait::no_output, scratch);
    else krait::step(keyword::model(), state, recording[t], scores, scratch);
    total += firmware::ticks_between(before, firmware::ticks());
  }
  return total;
}

}  // namespace

int main() {
  firmware::start_counter();
  const std::uint32_t before = firmware::ticks();
  firmware::known_loop(100'000);
  const std::uint32_t loop = firmware::ticks_between(before, firmware::ticks());
  (firmware::Line() << "known_loop " << loop).print();

  Scores first[2]{};
  for (std::size_t i = 0; i < 2; ++i) {
    std::uint32_t ticks = 0;
    const std::size_t stack = firmware::stack_used([&] { ticks = listen(recordings::all[i], first[i]); });
    firmware::Line line;
    line << "ticks " << ticks << " stack " << stack << " scores";
    for (const float score : first[i]) line << " " << std::string_view(firmware::bits(score));
    line.print();
  }

  std::size_t same = 2;
  for (; same < recordings::inferences; ++same) {
    Scores scores;
    listen(recordings::all[same % 2], scores);
    if (std::memcmp(&scores, &first[same % 2], sizeof(scores)) != 0) break;
  }
  (firmware::Line() << "inferences " << recordings::inferences << " same " << same).print();
  (firmware::Line() << "state " << krait::state_bytes<Model> << " scratch " << krait::scratch_bytes<Model> << " weights "
                    << krait::flash_bytes<Model>).print();
  firmware::exit(same == recordings::inferences ? 0 : 1);
}
