// The program that spread.py runs on boards: runs steps with ordinary, zero, NaN, infinite, denormal and huge inputs, and
// prints the ticks of each step.
#include "../../examples/firmware/firmware.hpp"

#include <cstring>
#include <limits>

#include <krait.hpp>
#include <krait/convert.hpp>

#include "block.hpp"  // made by krait pack from block_odd_all_biases.safetensors
#include "data.hpp"   // the input of block_odd_all_biases

namespace {

using krait::Storage;

// The unusual numbers. Each replaces first all elements and then one element of every input of the block, in five steps each.
constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
constexpr float greatest = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
constexpr float smallest = std::numeric_limits<float>::min();
constexpr float odd_ones[] = {0.0f, -0.0f, nan, -nan, inf, -inf, least, -least, smallest / 3, smallest, greatest, -greatest, 1e30f, -1e10f};

// ticks_of_step is not inlined, so that the same instructions process all data.
template <class Block>
[[gnu::noinline]] std::uint32_t ticks_of_step(const Block& block, krait::State<Block>& state,
                                              krait::Scratch<Block>& scratch, const krait::Tensor<float, 10>& x) {
  krait::Tensor<float, 10> y;
  const std::uint32_t before = firmware::ticks();
  krait::step(block, state, x, y, scratch);
  return firmware::ticks_between(before, firmware::ticks());
}

template <Storage storage>
void measure(std::string_view name) {
  constexpr auto dims = block::dims;
  using Block = krait::ResidualBlock<krait::with_storage(dims, storage)>;
  static Block model;
  static krait::State<Block> state;
  static krait::Scratch<Block> scratch;
  krait::convert(block::model(), model.mixer);
  krait::assign(model.norm.weight, [](std::size_t, std::size_t) { return 1.0f; });

  const auto ticks_of_steps = [&](auto input) {
    state = {};
    for (std::size_t t = 0; t < 5; ++t) {
      const krait::Tensor<float, 10> x = input(t);
      (firmware::Line() << name << " " << ticks_of_step(model, state, scratch, x)).print();
    }
  };
  ticks_of_steps([](std::size_t t) { return data::rows[t]; });
  for (const float odd : odd_ones) {
    ticks_of_steps([odd](std::size_t) {
      krait::Tensor<float, 10> x;
      for (float& value : x) value = odd;
      return x;
    });
    ticks_of_steps([odd](std::size_t t) {
      krait::Tensor<float, 10> x = data::rows[t];
      x[3] = odd;
      return x;
    });
  }
}

}  // namespace

int main() {
  firmware::start_counter();
  measure<Storage::f32>("f32");
  measure<Storage::bf16>("bf16");
  measure<Storage::f16>("f16");
  measure<Storage::int8>("int8");
  firmware::exit(0);
}
