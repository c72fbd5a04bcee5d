// Learns a ninth voice on a board: trains a part of the speaker model in RAM, and saves the model's image.
#include "../firmware/firmware.hpp"

#include "learner.hpp"

#include "eight.hpp"   // the model of eight voices, made by krait pack --type f32 --name eight
#include "voices.hpp"  // voices::fresh, ::old and ::test: utterances in flash, made by tests/device/learn.py

namespace {

using Model = eight::Model;
using learn::Utterance;

constexpr std::size_t new_speaker = 8;
constexpr std::size_t stack_bound = 4096;
constexpr std::size_t ram_bound = sizeof(learn::Memory<Model>) + stack_bound;
static_assert(ram_bound <= 128 * 1024, "learning has 128 KB of RAM");

// In .bss. No constructor has to run, because main and Course set everything before they read it.
learn::Memory<Model> memory;

// Prints how many test utterances of the new voice and of the old voices the model classifies correctly.
void print_accuracy(std::string_view when) {
  std::array<std::size_t, 2> right{}, all{};
  for (const Utterance& utterance : voices::test) {
    memory.state = {};
    speaker::Scores scores{};
    for (const speaker::Frame& frame : utterance.frames) krait::step(memory.image.model, memory.state, frame, scores);
    const bool old = utterance.speaker != new_speaker;
    right[old] += speaker::likeliest(scores) == utterance.speaker;
    ++all[old];
  }
  (firmware::Line() << when << ": new voice " << right[0] << " of " << all[0] << ", old voices " << right[1] << " of "
                    << all[1]).print();
}

}  // namespace

int main() {
  firmware::start_counter();
  std::size_t deepest = 0;
  const auto measured = [&](auto call) { deepest = std::max(deepest, firmware::stack_used(call)); };
  measured([] { memory.image.model = eight::model(); });
  measured([] { print_accuracy("before"); });

  std::uint32_t most = 0;
  measured([&] {
    learn::Course course(memory, voices::fresh, voices::old, {});
    for (std::size_t step = 0; step < course.steps(); ++step) {
      const std::uint32_t before = firmware::ticks();
      course.step();
      most = std::max(most, firmware::ticks_between(before, firmware::ticks()));
    }
  });
  measured([] { print_accuracy("after"); });

  bool saved = false;
  measured([&] {
    krait::write_image(memory.image.model, memory.image);
    saved = firmware::write_file(LEARN_IMAGE, memory.image.bytes());
  });
  (firmware::Line() << "image " << firmware::hex(memory.image.header.fingerprint) << (saved ? " saved" : " NOT SAVED")).print();
  (firmware::Line() << "ticks " << most << " memory " << sizeof(memory) << " stack " << deepest).print();
  firmware::exit(saved && deepest <= stack_bound ? 0 : 1);
}
