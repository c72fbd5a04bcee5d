// Recognises speakers on a bare board, one frame at a time, with the weights of the speaker example in flash. If SPEAKER_SERIES
// is not defined, the program reads the frames of one word from a sensor.
#include "firmware.hpp"

#include <cstring>

#include "../speaker/speaker.hpp"

#ifndef SPEAKER_WEIGHTS
#define SPEAKER_WEIGHTS "speaker_int8.hpp"  // made by krait pack --type int8 --name weights
#endif
#include SPEAKER_WEIGHTS

#ifdef SPEAKER_SERIES
#include SPEAKER_SERIES  // defines series::count, series::lengths and series::frames
#else
namespace series {
constexpr std::size_t count = 1;
constexpr std::array<unsigned char, 1> lengths{29};
// The latest value of the sensor. In a product, a driver writes it.
volatile float sensor;
struct {
  speaker::Frame operator[](std::size_t) const {
    speaker::Frame frame;
    for (float& value : frame) value = sensor;
    return frame;
  }
} const frames;
}  // namespace series
#endif

namespace {

using Model = weights::Model;

// All RAM that the program uses: the state between frames, the scratch of a step, and the stack below main.
constexpr std::size_t stack_bound = 1536;
constexpr std::size_t ram_bound = krait::state_bytes<Model> + krait::scratch_bytes<Model> + stack_bound;
static_assert(ram_bound <= 6 * 1024, "the speaker has 6 KB of RAM");

constinit krait::State<Model> state{};
constinit krait::Scratch<Model> scratch{};

}  // namespace

int main() {
  std::size_t deepest = 0;
  for (std::size_t i = 0, at = 0; i < series::count; ++i) {
    speaker::Scores scores{};
    const std::size_t stack = firmware::stack_used([&] {
      state = {};
      for (std::size_t t = 0; t < series::lengths[i]; ++t, ++at)
        krait::step(weights::model(), state, series::frames[at], scores, scratch);
    });
    deepest = std::max(deepest, stack);
    firmware::Line line;
    line << "heard " << speaker::likeliest(scores) << " scores";
    for (const float score : scores) line << " " << firmware::bits(score);
    line.print();
  }
  (firmware::Line() << "state " << krait::state_bytes<Model> << " scratch " << krait::scratch_bytes<Model> << " stack "
                    << deepest << " bound " << ram_bound).print();
  firmware::exit(deepest <= stack_bound ? 0 : 1);
}
