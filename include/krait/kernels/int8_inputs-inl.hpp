// Linear layers with int8 weights: inputs become 16-bit whole numbers, sums are whole numbers and so exact in any order,
// which leaves every core free to use what it is good at. y = sum * (scale of the output * step of the inputs) + bias.
#if defined(KRAIT_KERNELS_INT8_INPUTS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_KERNELS_INT8_INPUTS_INL_HPP
#undef KRAIT_KERNELS_INT8_INPUTS_INL_HPP
#else
#define KRAIT_KERNELS_INT8_INPUTS_INL_HPP
#endif

#include <array>
#include <limits>

#include "krait/kernels/linear-inl.hpp"
#include "krait/layout/panels.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

#undef KRAIT_AVX512_VNNI  // of another target
#if defined(__AVX512VNNI__) && HWY_TARGET <= HWY_AVX3 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define KRAIT_AVX512_VNNI 1
#endif

// [K / 8][width / 2][8]: pairs of neighbouring outputs in groups of eight columns, see Panels.
template <>
struct Weights<Storage::int8> {
  static constexpr std::size_t accumulators = lanes == 1 ? 1 : 4;
#ifdef KRAIT_AVX512_VNNI
  static constexpr std::size_t most_tokens = 3;  // each has two rows of bytes and their sums
#else
  static constexpr std::size_t most_tokens = tile_tokens;
#endif
  const std::int16_t* values;
  const float* scales;
  static constexpr std::size_t rounds(std::size_t K) { return ceil_div(K, int8_group); }
  static constexpr std::size_t padded_cols(std::size_t K) { return rounds(K) * int8_group; }
  // From one group of columns to the next.
  static constexpr std::size_t group_stride(std::size_t width) { return width / 2 * int8_group; }
  // Of an even output.
  Weights panel(std::size_t output, std::size_t K) const {
    return {values + output / 2 * padded_cols(K), scales + output};
  }
  Weights outputs_from(std::size_t output) const { return {values + output / 2 * int8_group, scales + output}; }
  float get(std::size_t output, std::size_t k, std::size_t width) const {
    const std::int16_t pair = values[k / int8_group * group_stride(width) + output / 2 * int8_group + k % int8_group];
    return scales[output] * static_cast<float>(element_of_pair(pair, output));
  }
};

// A run of rows of 16-bit inputs; one of row t's stands for its number times scales[t].step.
struct Quantised {
  TokenSpan<const std::int16_t> inputs;
  const InputScale* scales;
  Quantised from(std::size_t t) const { return {inputs.from(t), scales + t}; }
};

// The largest input: 16 bits of which both bytes are signed numbers, and K products with 127 must fit in 31 bits.
constexpr std::int32_t largest_input(std::size_t K) {
  const auto fits = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) / (127 * K);
  return static_cast<std::int32_t>(std::min<std::size_t>(fits, 127 * 256 + 127));
}

// q[i] = round(x[i] / step) for K floats, zeros behind them up to a whole block; the answer is the step, the largest
// magnitude over largest_input(K). Magnitudes below 2^-100 count as 2^-100. If one is not finite the step is not
// either, and so every output becomes NaN or infinite.
HWY_INLINE InputScale quantise_row(const float* HWY_RESTRICT x, std::size_t K, std::int16_t* HWY_RESTRICT q) {
  const Tag tag;
  const hn::RebindToSigned<Tag> int_tag;
  [[maybe_unused]] const hn::Rebind<std::int16_t, Tag> short_tag;
  // As whole numbers magnitudes have the same order, with NaN above infinity.
  auto largest = hn::BitCast(int_tag, hn::Set(tag, 0x1p-100f));
  std::size_t done = 0;
#ifdef KRAIT_CORTEX_M_FPU
  done = K / 4 * 4;
  if (done > 0) largest.raw = static_cast<std::int32_t>(largest_magnitude(static_cast<std::uint32_t>(largest.raw), x, done));
#endif
  for_each_vector(K - done, [&](std::size_t i, auto load, auto) KRAIT_LAMBDA {
    largest = hn::Max(largest, hn::BitCast(int_tag, hn::Abs(load(x + done + i))));
  });
  const float magnitude = hn::GetLane(hn::BitCast(tag, hn::MaxOfLanes(int_tag, largest)));
  const auto most = static_cast<float>(largest_input(K));
  const V inverse = hn::Set(tag, div(most, magnitude));
  const auto shift = hn::BitCast(int_tag, hn::Set(tag, whole_shift));
#ifdef KRAIT_CORTEX_M_FPU
  if (done > 0) round_in_fours(x, inverse.raw, whole_shift, q, done);
#endif
  [[maybe_unused]] auto sum = hn::Zero(int_tag);
  for_each_vector(K - done, [&](std::size_t from, auto load, auto) KRAIT_LAMBDA {
    const std::size_t i = done + from;
    const V whole = round_shifted(mul(load(x + i), inverse));
#ifdef KRAIT_AVX512_VNNI
    // The lower bytes of all inputs, then the upper ones, both signed.
    const hn::Rebind<std::int8_t, Tag> byte_tag;
    const auto number = hn::Sub(hn::BitCast(int_tag, whole), shift);
    const auto low = hn::ShiftRight<24>(hn::ShiftLeft<24>(number));
    sum = hn::Add(sum, number);
    auto* bytes = reinterpret_cast<std::int8_t*>(q);
    hn::Store(hn::DemoteTo(byte_tag, low), byte_tag, bytes + i);
    hn::Store(hn::DemoteTo(byte_tag, hn::ShiftRight<8>(hn::Sub(number, low))), byte_tag, bytes + padded(K) + i);
#elif HWY_TARGET == HWY_SCALAR
    q[i] = static_cast<std::int16_t>(hn::BitCast(int_tag, whole).raw - shift.raw);
#else
    hn::Store(hn::DemoteTo(short_tag, hn::Sub(hn::BitCast(int_tag, whole), shift)), short_tag, q + i);
#endif
  });
  if constexpr (lanes < strip_width)
    for (std::size_t i = ceil_div(K, lanes) * lanes; i < padded(K); ++i) q[i] = 0;
#ifdef KRAIT_AVX512_VNNI
  return {div(magnitude, most), hn::GetLane(hn::SumOfLanes(int_tag, sum))};
#else
  return {div(magnitude, most), 0};
#endif
}

// A vector of outputs from their sums: y = sum * (scale * step) + bias.
HWY_INLINE void store_outputs(hn::Vec<hn::RebindToSigned<Tag>> sums, const float* scales, float step, const float* bias,
                              float* y) {
  const Tag tag;
  const V start = bias ? load_vector(bias) : zero_start();
  store_unaligned(mul_add_one(hn::ConvertTo(tag, sums), mul(load_vector(scales), hn::Set(tag, step)), start), y);
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
