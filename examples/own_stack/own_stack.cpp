// Defines a stack of your own: a classifier of sensor readings, which processes one reading at a time.
#include <array>
#include <cstdio>
#include <string_view>

#include <krait.hpp>
#include <krait/init.hpp>

inline constexpr auto block = krait::resolve(krait::BlockDims{.d_model = 24, .d_state = 8});
struct Parts {
  KRAIT_PARAMS(Parts,
    (krait::Linear<krait::LinearDims{.d_in = 6, .d_out = 24, .bias = true}>, linear_in),  // 6 channels of a reading
    (std::array<krait::ResidualBlock<block>, 2>, layers),
    (krait::MeanPool<24>, pool),
    (krait::Linear<krait::LinearDims{.d_in = 24, .d_out = 4}>, classifier));  // 4 classes
};
using Gesture = krait::Stack<Parts>;  // if the sizes of neighbouring layers did not agree, this line would not compile

int main() {
  static const Gesture model = krait::init<Gesture>(krait::key(1));

  // Prints every parameter by its checkpoint key, which consists of the names of members.
  krait::for_each_param(model, [](std::string_view name, const auto& param) {
    std::printf("%.*s [", static_cast<int>(name.size()), name.data());
    for (std::size_t i = 0; i < param.shape.size(); ++i) std::printf(i == 0 ? "%zu" : ", %zu", param.shape[i]);
    std::printf("]\n");
  });
  std::printf("%zu parameters; flash %zu, state %zu, scratch %zu bytes; %zu multiply-adds a reading\n",
              krait::parameter_count<Gesture>, krait::flash_bytes<Gesture>, krait::state_bytes<Gesture>,
              krait::scratch_bytes<Gesture>, krait::multiply_adds_per_step<Gesture>);

  krait::State<Gesture> state{};
  krait::Tensor<float, 4> scores;  // the scores after the readings so far
  for (int t = 0; t < 100; ++t) {
    std::array<float, 6> reading{};
    reading[static_cast<std::size_t>(t % 6)] = 1.0f;
    krait::step(model, state, reading, scores);
    if (t % 33 == 0) {
      std::printf("after %3d readings:", t + 1);
      for (const float score : scores) std::printf(" %7.4f", static_cast<double>(score));
      std::printf("\n");
    }
  }
}
