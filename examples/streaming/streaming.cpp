// Uses a MambaBlock as a recurrent layer in an audio callback: all memory is static, nothing is allocated, and a stream that is
// saved and continued gives the same bits.
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

// Checks at compile time that the block's work and memory are within the limits of one core of a small computer.
static_assert(krait::multiply_adds_per_step<Block> * sample_rate <= 100'000'000);
static_assert(krait::state_bytes<Block> + krait::scratch_bytes<Block, callback_frames> <= 24 * 1024);

constinit Block block{};
constinit krait::State<Block> state{};                      // keeps its content between callbacks
constinit krait::Scratch<Block, callback_frames> scratch{};  // used only during a callback

// The function that an audio driver calls. It executes the same instructions for every input.
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
  const krait::State<Block> saved = state;  // a program may also write the state's bytes to a file
  hear(100 * callback_frames);
  callback(in, first);
  state = saved;
  for (std::size_t t = 0; t < in.size(); t += 16)  // a driver may pass fewer frames at a time
    callback(std::span(in).subspan(t, 16), std::span(again).subspan(t, 16));

  const bool same = std::memcmp(&first, &again, sizeof(first)) == 0;
  std::printf("state %zu, scratch %zu bytes, %zu million multiply-adds a second\n", krait::state_bytes<Block>,
              krait::scratch_bytes<Block, callback_frames>, krait::multiply_adds_per_step<Block> * sample_rate / 1'000'000);
  std::printf("last frame: %.4f %.4f ...\n", static_cast<double>(first[47][0]), static_cast<double>(first[47][1]));
  std::printf("from the saved state: %s\n", same ? "the same bits" : "not the same bits");
  return same ? 0 : 1;
}
