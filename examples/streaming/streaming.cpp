// A MambaBlock as a recurrent layer in an audio callback: all memory static, no allocation, and a stream that can be
// saved and taken up again to the same bits.
#include <array>
#include <cstdio>
#include <cstring>
#include <span>

#include <krait.hpp>
#include <krait/init.hpp>

inline constexpr auto dims = krait::resolve(krait::BlockDims{.d_model = 8, .d_state = 4});
using Block = krait::MambaBlock<dims>;
using Frame = krait::Tensor<float, dims.d_model>;  // 8 channels at one sampling instant
inline constexpr std::size_t sample_rate = 48'000;
inline constexpr std::size_t callback_frames = 48;  // 1 ms

// What one core of a small computer is to spend on it, checked before there is a program.
static_assert(krait::multiply_adds_per_step<Block> * sample_rate <= 100'000'000);
static_assert(krait::state_bytes<Block> + krait::scratch_bytes<Block, callback_frames> <= 24 * 1024);

constinit Block block{};
constinit krait::State<Block> state{};                      // survives between callbacks
constinit krait::Scratch<Block, callback_frames> scratch{};  // borrowed for one callback at a time

// What an audio driver calls: bounded, and the same instructions whatever is heard.
void callback(std::span<const Frame> in, std::span<Frame> out) noexcept { krait::prefill(block, state, in, out, scratch); }

int main() {
  krait::init(krait::key(2), block);
  static std::array<Frame, callback_frames> in, first, again;
  const auto hear = [](std::size_t start) {  // a sawtooth, shifted from channel to channel
    for (std::size_t t = 0; t < in.size(); ++t)
      for (std::size_t c = 0; c < dims.d_model; ++c) in[t][c] = static_cast<float>((start + t + 13 * c) % 109) / 109.0f;
  };
  for (std::size_t n = 0; n < 100; ++n) {  // a tenth of a second
    hear(n * callback_frames);
    callback(in, first);
  }
  const krait::State<Block> saved = state;  // or its bytes, to a file
  hear(100 * callback_frames);
  callback(in, first);
  state = saved;
  for (std::size_t t = 0; t < in.size(); t += 16)  // the driver may ask for less at a time
    callback(std::span(in).subspan(t, 16), std::span(again).subspan(t, 16));

  const bool same = std::memcmp(&first, &again, sizeof(first)) == 0;
  std::printf("state %zu, scratch %zu bytes, %zu million multiply-adds a second\n", krait::state_bytes<Block>,
              krait::scratch_bytes<Block, callback_frames>, krait::multiply_adds_per_step<Block> * sample_rate / 1'000'000);
  std::printf("last frame: %.4f %.4f ...\n", static_cast<double>(first[47][0]), static_cast<double>(first[47][1]));
  std::printf("from the saved state: %s\n", same ? "the same bits" : "not the same bits");
  return same ? 0 : 1;
}
