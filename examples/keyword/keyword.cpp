// Listens to recordings frame by frame and prints what it hears, with what that takes: instructions, RAM and stack.
#include "keyword.hpp"

#include "../firmware/firmware.hpp"

#ifndef KEYWORD_STORAGE
#define KEYWORD_STORAGE f32
#endif

namespace {

using Model = keyword::Model<krait::Storage::KEYWORD_STORAGE>;
using Recording = krait::Tensor<float, keyword::frames, keyword::features>;
using Logits = krait::Tensor<float, keyword::classes>;

extern "C" const Model keyword_model;
extern "C" const Recording keyword_recordings[2];
extern "C" const std::uint32_t keyword_frames;  // how many frames of each to listen to

constinit krait::State<Model> state{};
constinit krait::Scratch<Model> scratch{};

// One inference: a frame at a time, as they would come from a microphone. Gives the counter's ticks.
std::uint32_t listen(const Recording& recording, Logits& logits) {
  state = {};
  std::uint32_t total = 0;
  for (std::uint32_t t = 0; t < keyword_frames; ++t) {
    const std::uint32_t before = firmware::ticks();
    krait::step(keyword_model, state, recording[t], logits, scratch);
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
  for (const Recording& recording : keyword_recordings) {
    Logits logits{};
    std::uint32_t ticks = 0;
    const std::size_t stack = firmware::stack_used([&] { ticks = listen(recording, logits); });
    firmware::Line line;
    line << "ticks " << ticks << " stack " << stack << " logits";
    for (const float value : logits) line << " " << std::string_view(firmware::bits(value));
    line.print();
  }
  (firmware::Line() << "state " << krait::state_bytes<Model> << " scratch " << krait::scratch_bytes<Model> << " flash "
                    << krait::flash_bytes<Model>).print();
  firmware::exit(0);
}
