// Quantises the inputs of linear layers with int8 weights. The inputs of each token are rounded to 16-bit integers q,
// which approximate x / step; every token has a step of its own. For each output o, with w[o][k] the int8 weights:
//   y[o] = (q[0] w[o][0] + q[1] w[o][1] + ...) * (scale[o] * step) + bias[o]
// The integer sum is exact in any order, so each target may use the fastest multiply-accumulate instructions it has.
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

KRAIT_BEGIN_TARGET

// KRAIT_AVX512_VNNI is defined if the current Highway target multiplies int8 weights with AVX-512 VNNI. Highway includes this
// file once for each target, so the definition for another target is removed first.
#undef KRAIT_AVX512_VNNI
#if defined(__AVX512VNNI__) && HWY_TARGET <= HWY_AVX3 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define KRAIT_AVX512_VNNI 1
#endif

// Weights<Storage::int8> points to the int8 weights of an even output and of the outputs after it in a panel, and to their
// scales. A panel that is `width` outputs wide is an array [K / 8][width / 2][8] of 16-bit integers. Each integer contains the
// weights of two neighbouring outputs in one column (int8_pair); eight neighbouring columns form a group. Each output has one
// float32 scale.
template <>
struct Weights<Storage::int8> {
  static constexpr std::size_t accumulators = lanes == 1 ? 1 : 4;
#ifdef KRAIT_AVX512_VNNI
  // A tile has at most three tokens, because each token requires registers for its lower and upper bytes and for their sums.
  static constexpr std::size_t most_tokens = 3;
#else
  static constexpr std::size_t most_tokens = tile_tokens;
#endif
  const std::int16_t* values;
  const float* scales;
  static constexpr std::size_t rounds(std::size_t K) { return ceil_div(K, int8_group); }
  static constexpr std::size_t padded_cols(std::size_t K) { return rounds(K) * int8_group; }
  // Returns the distance from one group of eight columns to the next in a panel that is `width` outputs wide, counted in 16-bit
  // integers.
  static constexpr std::size_t group_stride(std::size_t width) { return width / 2 * int8_group; }
  // Returns the weights of the panel that starts at `output`, which must be even. K is the number of columns.
  Weights panel(std::size_t output, std::size_t K) const {
    return {values + output / 2 * padded_cols(K), scales + output};
  }
  Weights outputs_from(std::size_t output) const { return {values + output / 2 * int8_group, scales + output}; }
  float get(std::size_t output, std::size_t k, std::size_t width) const {
    const std::int16_t pair = values[k / int8_group * group_stride(width) + output / 2 * int8_group + k % int8_group];
    return scales[output] * static_cast<float>(element_of_pair(pair, output));
  }
};

// The quantised inputs of a run of tokens: input k of token t is inputs[t][k] * scales[t].step.
struct Quantised {
  TokenSpan<const std::int16_t> inputs;
  const InputScale* scales;
  Quantised from(std::size_t t) const { return {inputs.from(t), scales + t}; }
};

// Returns the largest magnitude of a quantised input for a layer with K inputs. It is at most 127 * 256 + 127, so that the
// upper and the lower byte of a quantised input are signed numbers. It is also at most (2^31 - 1) / (127 K), so that a sum of K
// products with int8 weights fits in 32 bits.
constexpr std::int32_t largest_input(std::size_t K) {
  const auto fits = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) / (127 * K);
  return static_cast<std::int32_t>(std::min<std::size_t>(fits, 127 * 256 + 127));
}

using IntVector = hn::Vec<hn::RebindToSigned<Tag>>;

// Returns the largest of `largest` and of the magnitudes of n floats, lane by lane. Compares the bits of the magnitudes as
// integers, because these have the order of the floats, and NaN is above infinity, so that NaN is not lost.
HWY_INLINE IntVector larger_magnitudes(IntVector largest, const float* x, std::size_t n) {
  const hn::RebindToSigned<Tag> int_tag;
  std::size_t done = 0;
#ifdef KRAIT_CORTEX_M_FPU
  done = n / 4 * 4;
  if (done > 0) largest.raw = static_cast<std::int32_t>(largest_magnitude(static_cast<std::uint32_t>(largest.raw), x, done));
#endif
  for_each_vector(n - done, [&](std::size_t i, auto load, auto) KRAIT_LAMBDA {
    largest = hn::Max(largest, hn::BitCast(int_tag, hn::Abs(load(x + done + i))));
  });
  return largest;
}

// Quantises n of a token's K inputs, x[0] to x[n - 1], which are the inputs from number `first` on, where `first` is a multiple
// of 16. q has elements for all K inputs. Adds the quantised inputs to `sum`, if the target needs their sum.
HWY_INLINE void round_inputs(const float* HWY_RESTRICT x, std::size_t first, std::size_t n, V inverse,
                             [[maybe_unused]] std::size_t K, std::int16_t* HWY_RESTRICT q, [[maybe_unused]] IntVector& sum) {
  const hn::RebindToSigned<Tag> int_tag;
  [[maybe_unused]] const hn::Rebind<std::int16_t, Tag> short_tag;
  const auto shift = hn::BitCast(int_tag, hn::Set(Tag(), whole_shift));
  std::size_t done = 0;
#ifdef KRAIT_CORTEX_M_FPU
  done = n / 4 * 4;
  if (done > 0) round_in_fours(x, inverse.raw, whole_shift, q + first, done);
#endif
  for_each_vector(n - done, [&](std::size_t from, auto load, auto) KRAIT_LAMBDA {
    const std::size_t i = first + done + from;
    const V whole = round_shifted(mul(load(x + done + from), inverse));
#ifdef KRAIT_AVX512_VNNI
    // A quantised input is `number` = 256 * upper + lower, where both bytes are signed. The array q receives the lower bytes of
    // all inputs, then the upper bytes.
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
}

// Quantises one token's K inputs x: q[k] = round(x[k] / step), where step = (largest magnitude of x) / largest_input(K). The
// first `head_inputs` inputs, a multiple of 16, are in `head`, and the others in `tail`. Writes zeros after q[K - 1] up to a
// multiple of 16 elements, and returns the step. A largest magnitude below 2^-100 is raised to 2^-100. If an input is NaN or
// infinite, so is the step, and every output of the layer becomes NaN or infinite. With AVX-512 VNNI, q receives the lower
// bytes of all quantised inputs, then their upper bytes, and the returned InputScale also contains the sum of q.
HWY_INLINE InputScale quantise_row(const float* head, std::size_t head_inputs, const float* tail, std::size_t K,
                                   std::int16_t* q) {
  const Tag tag;
  const hn::RebindToSigned<Tag> int_tag;
  IntVector largest = hn::BitCast(int_tag, hn::Set(tag, 0x1p-100f));
  if (head_inputs > 0) largest = larger_magnitudes(largest, head, head_inputs);
  largest = larger_magnitudes(largest, tail, K - head_inputs);
  const float magnitude = hn::GetLane(hn::BitCast(tag, hn::MaxOfLanes(int_tag, largest)));
  const auto most = static_cast<float>(largest_input(K));
  const V inverse = hn::Set(tag, div(most, magnitude));
  IntVector sum = hn::Zero(int_tag);
  if (head_inputs > 0) round_inputs(head, 0, head_inputs, inverse, K, q, sum);
  round_inputs(tail, head_inputs, K - head_inputs, inverse, K, q, sum);
  if constexpr (lanes < strip_width)
    for (std::size_t i = ceil_div(K, lanes) * lanes; i < padded(K); ++i) q[i] = 0;
#ifdef KRAIT_AVX512_VNNI
  return {div(magnitude, most), hn::GetLane(hn::SumOfLanes(int_tag, sum))};
#else
  return {div(magnitude, most), 0};
#endif
}
HWY_INLINE InputScale quantise_row(const float* x, std::size_t K, std::int16_t* q) { return quantise_row(nullptr, 0, x, K, q); }

// Converts one vector of integer sums to outputs and stores them: y = sum * (scale * step) + bias. A null bias means zero.
HWY_INLINE void store_outputs(hn::Vec<hn::RebindToSigned<Tag>> sums, const float* scales, float step, const float* bias,
                              float* y) {
  const Tag tag;
  const V start = bias ? load_vector(bias) : zero_start();
  store_unaligned(mul_add_one(hn::ConvertTo(tag, sums), mul(load_vector(scales), hn::Set(tag, step)), start), y);
}

KRAIT_END_TARGET

#endif
