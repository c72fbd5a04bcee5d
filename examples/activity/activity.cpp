// Recognises activities from the motion sensors of a watch, four samples at a time. Prints the scores of each test series.
// tests/device/activity.py packs the weights and runs the program on the host and on a board.
#include "../firmware/firmware.hpp"

#ifndef ACTIVITY_WEIGHTS
#define ACTIVITY_WEIGHTS "activity_int8.hpp"  // made by krait pack activity.safetensors --type int8 --name activity
#endif
#include <algorithm>

#include <krait.hpp>

#include ACTIVITY_WEIGHTS
#include "series.hpp"  // the tokens of all series, [count * length, 24]; a token is four samples of six channels

namespace {

using activity::Model;

constinit krait::State<Model> state{};
constinit krait::Scratch<Model> scratch{};

}  // namespace

int main() {
  std::size_t deepest = 0;
  for (std::size_t i = 0; i < series::count; ++i) {
    krait::Tensor<float, Model::d_out> scores{};  // standing, running, walking, badminton
    const std::size_t stack = firmware::stack_used([&] {
      state = {};
      for (std::size_t t = 0; t < series::length; ++t)
        krait::step(activity::model(), state, series::tokens[i * series::length + t], scores, scratch);
    });
    deepest = std::max(deepest, stack);
    firmware::Line line;
    line << "activity " << static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    line << " scores";
    for (const float score : scores) line << " " << std::string_view(firmware::bits(score));
    line.print();
  }
  (firmware::Line() << "state " << krait::state_bytes<Model> << " scratch " << krait::scratch_bytes<Model> << " stack "
                    << deepest << " weights " << krait::flash_bytes<Model>).print();
  firmware::exit(0);
}
